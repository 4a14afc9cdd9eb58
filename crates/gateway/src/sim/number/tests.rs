use super::{count, plain, plain_within, round_time, share_within, time, time_within};

#[test]
fn numbers_have_three_digits_and_one_unit() {
    let told = [0.0, 0.000_042, 0.012_34, 0.999, 1.0, 59.94, 123.4, 3600.0, 90_000.0].map(time);
    assert_eq!(
        told,
        ["0 s", "42.0 µs", "12.3 ms", "999 ms", "1.00 s", "59.9 s", "123 s", "60.0 min", "25.0 h"]
    );
    assert_eq!([0.0, 0.005, 5.0, 90.0, 900.0].map(round_time), ["0 s", "5 ms", "5 s", "90 s", "15 min"]);
    assert_eq!(time_within(1.2345, Some(0.056)), "1.23 ± 0.06 s");
    assert_eq!(time_within(0.0123, Some(0.000_01)), "12.3 ± 0.0 ms");
    assert_eq!(time_within(0.0, Some(0.0)), "0 s");
    assert_eq!(plain_within(1.5, None), "1.5");
    assert_eq!(share_within(0.0213, Some(0.004)), "2.13 ± 0.40 %");
    assert_eq!(
        [0.0, 0.000_001_2, 1.5, 12_345.6, 1000.0].map(plain),
        ["0", "0.000001", "1.5", "12346", "1000"]
    );
    assert_eq!([7, 1_234, 1_000_000].map(count), ["7", "1\u{a0}234", "1\u{a0}000\u{a0}000"]);
}
