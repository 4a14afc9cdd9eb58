use std::time::Duration;

use super::Window as AnyWindow;

type Window = AnyWindow<10>;

fn at(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn counts_stay_for_ten_seconds_and_leave_second_by_second() {
    let mut window = Window::new();
    for second in 0..10 {
        window.add(at(second * 1000 + 500), 1, 2);
    }
    assert_eq!(window.sums(at(9_999)), (10, 20));
    assert_eq!(window.sums(at(10_000)), (9, 18), "the first second is gone, the others are not");
    assert_eq!(window.sums(at(14_200)), (5, 10));
    assert_eq!(window.sums(at(18_999)), (1, 2));
    assert_eq!(window.sums(at(19_000)), (0, 0));
}

#[test]
fn a_long_silence_forgets_everything_even_where_the_buckets_meet_again() {
    for silence in [10, 11, 19, 20, 30, 1_000_000, u64::MAX - 7] {
        let mut window = Window::new();
        window.add(Duration::from_secs(7), 3, 4);
        assert_eq!(window.sums(Duration::from_secs(7 + silence)), (0, 0), "{silence} s later");
    }
}

#[test]
fn an_earlier_now_counts_as_the_latest_second() {
    let mut window = Window::new();
    window.add(at(5_000), 1, 0);
    window.add(at(3_000), 1, 0);
    assert_eq!(window.sums(at(1_000)), (2, 0));
    assert_eq!(window.sums(at(14_999)), (2, 0));
    assert_eq!(window.sums(at(15_000)), (0, 0));
}

#[test]
fn clearing_forgets_the_counts_and_goes_on_counting() {
    let mut window = Window::new();
    window.add(at(5_000), 1, 1);
    window.clear();
    assert_eq!(window.sums(at(5_000)), (0, 0));
    window.add(at(5_100), 2, 0);
    assert_eq!(window.sums(at(6_000)), (2, 0));
}

#[test]
fn a_window_agrees_with_a_list_of_all_events() {
    let mut window = Window::new();
    let mut events: Vec<(u64, u32, u32)> = Vec::new();
    let mut millis = 0;
    for step in 0..5_000_u64 {
        // Steps of 0 to 1.7 s, now and then one of 12 s.
        millis += if step % 97 == 0 { 12_000 } else { step * step % 1_700 };
        let (a, b) = ((step % 3) as u32, (step % 5) as u32);
        window.add(at(millis), a, b);
        events.push((millis / 1000, a, b));
        let live = events.iter().filter(|event| millis / 1000 < event.0 + 10);
        let sums =
            live.fold((0, 0), |sums, event| (sums.0 + u64::from(event.1), sums.1 + u64::from(event.2)));
        assert_eq!(window.sums(at(millis)), sums, "step {step} at {millis} ms");
    }
}

#[test]
fn the_seconds_in_which_something_happened_are_told_by_their_age() {
    let mut window = AnyWindow::<60>::new();
    window.add(at(2_300), 1, 7);
    window.add(at(2_900), 1, 0);
    window.add(at(5_000), 0, 4);
    let seconds = |window: &mut AnyWindow<60>, now| window.seconds(at(now)).collect::<Vec<_>>();
    assert_eq!(seconds(&mut window, 5_250), [(at(250), [0, 4]), (at(3_250), [2, 7])]);
    assert_eq!(seconds(&mut window, 61_999), [(at(56_999), [0, 4]), (at(59_999), [2, 7])]);
    assert_eq!(seconds(&mut window, 62_000), [(at(57_000), [0, 4])], "60 s after it began it is gone");
    assert_eq!(seconds(&mut window, 65_000), []);
}

#[test]
fn a_second_that_is_full_leaves_as_what_it_was() {
    let mut window = AnyWindow::<60>::new();
    window.add(at(0), u32::MAX, 1);
    window.add(at(999), 5, u32::MAX);
    window.add(at(1_000), 2, 3);
    assert_eq!(window.sums(at(59_999)), (u64::from(u32::MAX) + 2, u64::from(u32::MAX) + 3));
    assert_eq!(window.sums(at(60_000)), (2, 3));
    assert_eq!(window.sums(at(61_000)), (0, 0));
}
