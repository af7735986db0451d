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
