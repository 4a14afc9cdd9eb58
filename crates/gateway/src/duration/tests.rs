use super::*;

#[test]
fn a_time_has_a_unit_or_is_seconds() {
    for (text, milliseconds) in [
        ("500ms", 500),
        ("20s", 20_000),
        ("20", 20_000),
        ("0.25", 250),
        ("1.5 h", 5_400_000),
        ("5m", 300_000),
        ("5min", 300_000),
        (" 1d ", 86_400_000),
        ("0", 0),
    ] {
        assert_eq!(parse(text), Some(Duration::from_millis(milliseconds)), "{text}");
    }
    for text in ["", "s", "-1s", "1 week", "1e3", "1.2.3", "1s1s", "inf", "999999999999999999999d"] {
        assert_eq!(parse(text), None, "{text}");
    }
}
