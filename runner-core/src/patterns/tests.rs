use expect_test::{Expect, expect};

use super::Patterns;

const NAMES: &[&str] = &[
    "public.orders",
    "public.order_items",
    "audit.orders",
    "audit.log",
    "orders",
    "Public.Orders",
    "odd.a,b",
    "odd.a*b",
    "odd.a.b",
    "odd.naïve",
    "odd.tail ",
];

fn check(text: &str, expected: &Expect) {
    let seen = match Patterns::parse(text) {
        Err(problem) => format!("problem: {problem}"),
        Ok(patterns) => {
            let matched = NAMES.iter().filter(|name| patterns.matches(name));
            let unmatched = patterns.unmatched(NAMES.iter().copied());
            format!(
                "{:?}\nunmatched: {unmatched:?}",
                matched.collect::<Vec<_>>()
            )
        }
    };
    expected.assert_eq(&seen);
}

#[test]
fn patterns_match_whole_names_or_last_components() {
    check(
        "public.orders",
        &expect![[r#"
        ["public.orders"]
        unmatched: []"#]],
    );
    check(
        "orders",
        &expect![[r#"
        ["public.orders", "audit.orders", "orders"]
        unmatched: []"#]],
    );
    check(
        "*.orders",
        &expect![[r#"
        ["public.orders", "audit.orders", "orders"]
        unmatched: []"#]],
    );
    check(
        "ord*",
        &expect![[r#"
        ["public.orders", "public.order_items", "audit.orders", "orders"]
        unmatched: []"#]],
    );
    check(
        "audit.*",
        &expect![[r#"
        ["audit.orders", "audit.log"]
        unmatched: []"#]],
    );
    check(
        "public.order?items, log",
        &expect![[r#"
        ["public.order_items", "audit.log"]
        unmatched: []"#]],
    );
    check(
        "*",
        &expect![[r#"
        ["public.orders", "public.order_items", "audit.orders", "audit.log", "orders", "Public.Orders", "odd.a,b", "odd.a*b", "odd.a.b", "odd.naïve", "odd.tail "]
        unmatched: []"#]],
    );
    check(
        "na?ve",
        &expect![[r#"
        ["odd.naïve"]
        unmatched: []"#]],
    );
    check(
        "public.ordersX,missing,a*g",
        &expect![[r#"
        []
        unmatched: ["public.ordersX", "missing", "a*g"]"#]],
    );
}

#[test]
fn a_backslash_makes_hostile_names_reachable() {
    check(
        r"odd.a\,b",
        &expect![[r#"
        ["odd.a,b"]
        unmatched: []"#]],
    );
    check(
        r"a\*b",
        &expect![[r#"
        ["odd.a*b"]
        unmatched: []"#]],
    );
    check(
        r"a\.b",
        &expect![[r#"
        ["odd.a.b"]
        unmatched: []"#]],
    );
    check(
        r"tail\ ",
        &expect![[r#"
        ["odd.tail "]
        unmatched: []"#]],
    );
    check(
        r"orders\",
        &expect!["problem: ends with a backslash that protects nothing"],
    );
}

#[test]
fn an_empty_list_is_no_pattern_but_an_empty_item_is_a_mistake() {
    assert!(Patterns::parse(" ").unwrap().is_empty());
    assert!(!Patterns::default().matches("anything"));
    check(
        "orders,,log",
        &expect!["problem: has an empty pattern between its commas"],
    );
    check(
        ",",
        &expect!["problem: has an empty pattern between its commas"],
    );
}

#[test]
fn where_dots_mean_nothing_a_pattern_stands_for_the_whole_name() {
    let matches = |pattern: &str, name: &str| {
        let patterns = Patterns::parse(pattern);
        patterns.is_ok_and(|it| it.matches_whole(name))
    };
    assert!(matches("user:*", "user:1"));
    assert!(matches("user:*", "user:1.x"));
    assert!(!matches("user:*", "a.user:1"));
    assert!(matches("*.user:*", "a.user:1"));
    assert!(matches("a,b?", "bc"));
    assert!(!matches("a,b?", "x.a"));
    assert!(matches("a\\.b", "a.b"));
}
