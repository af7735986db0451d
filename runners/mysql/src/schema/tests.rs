use super::*;

#[test]
fn a_view_comes_after_those_that_it_names() {
    let view = |name: &str, text: &str| (name.to_owned(), text.to_owned());
    let views = [
        view("a", "select 1 from `b` join `c`"),
        view("b", "select `c`.`x` from `c`"),
        view("c", "select 1 from `t`"),
        view("y", "select 1 from `z`"),
        view("z", "select 1 from `y`"),
    ];
    assert_eq!(in_order(&views), [2, 1, 0, 3, 4]);
}

#[test]
fn a_definer_is_the_first_thing_that_is_quoted() {
    let view = b"CREATE ALGORITHM=UNDEFINED DEFINER=`app`@`10.%` SQL SECURITY DEFINER VIEW `v` AS select 'DEFINER=`x`@`y`'";
    assert_eq!(definer(view).as_deref(), Some("app@10.%"));
    assert_eq!(definer(b"CREATE PROCEDURE `p`() SELECT 1"), None);
    let ansi = b"CREATE DEFINER=\"root\"@\"%\" PROCEDURE \"p\"() SELECT 1";
    assert_eq!(definer(ansi).as_deref(), Some("root@%"));
}

#[test]
fn the_libraries_of_a_routines_own_database_are_named_without_it() {
    let told = |clause: &str| {
        let create = format!(
            "CREATE DEFINER=`a`@`%` FUNCTION `f`() RETURNS int\n    LANGUAGE JAVASCRIPT\n{clause}AS $$ \n    USING (`shop`.`x`)\nAS $$"
        );
        let told = with_own_libraries(create.as_bytes(), "shop");
        let told = String::from_utf8(told).unwrap();
        let body = told.split_once("JAVASCRIPT\n").unwrap().1.to_owned();
        body.split_once("AS $$").unwrap().0.to_owned()
    };
    assert_eq!(
        told("    USING (`shop`.`a` AS `x`, `shops`.`b`, `shop`.`c, d`)\n"),
        "    USING (`a` AS `x`, `shops`.`b`, `c, d`)\n"
    );
    assert_eq!(told("    USING (`shop`.`a`)\n"), "    USING (`a`)\n");
}
