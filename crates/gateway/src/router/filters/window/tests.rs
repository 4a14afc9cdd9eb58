use super::{TooLong, Windows};
use crate::config::Deployment;
use crate::router::filters::left::Left;

fn windows(limits: &[Option<u64>]) -> Option<Windows> {
    let entries: Vec<_> = limits
        .iter()
        .map(|limit| Deployment { max_input_tokens: *limit, ..Deployment::new("m", "openai/m") })
        .collect();
    Windows::new(&entries.iter().collect::<Vec<_>>())
}

fn left(windows: &Windows, bytes: usize) -> Result<Vec<usize>, TooLong> {
    let mut left = Left::among(windows.members.len(), None);
    windows.keep(&mut left, bytes, || bytes).map(|()| left.iter().collect())
}

#[test]
fn a_prompt_goes_where_it_fits() {
    let windows = windows(&[Some(100), Some(1000), None]).unwrap();
    // 100 tokens are 400 bytes, and 403 are not yet 101.
    for (bytes, expected) in [
        (0, vec![0, 1, 2]),
        (403, vec![0, 1, 2]),
        (404, vec![1, 2]),
        (4000, vec![1, 2]),
        (4004, vec![2]),
        (usize::MAX, vec![2]),
    ] {
        assert_eq!(left(&windows, bytes), Ok(expected), "{bytes} bytes");
    }
}

#[test]
fn one_that_fits_nowhere_leaves_nobody_out_and_can_go_to_the_longest() {
    let windows = windows(&[Some(100), Some(1000), Some(1000)]).unwrap();
    let too_long = TooLong { prompt: 1001, longest: 1000 };
    assert_eq!(left(&windows, 4004), Err(too_long));
    let mut all = Left::among(3, None);
    assert_eq!(windows.keep(&mut all, 4004, || 4004), Err(too_long));
    windows.keep_longest(&mut all, too_long.longest);
    assert_eq!(all.iter().collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn the_longest_is_one_of_those_that_are_left() {
    let windows = windows(&[Some(100), Some(1000)]).unwrap();
    let mut without_the_longer = Left::among(2, None);
    without_the_longer.keep(|member| member == 0);
    let too_long = windows.keep(&mut without_the_longer, 500, || 500).unwrap_err();
    assert_eq!(too_long, TooLong { prompt: 125, longest: 100 });
}

#[test]
fn only_text_counts_and_only_where_it_matters() {
    let windows = windows(&[Some(100), Some(1000)]).unwrap();
    let mut all = Left::among(2, None);
    // A picture of 1 MB with a question beside it.
    assert_eq!(windows.keep(&mut all, 1_000_000, || 80), Ok(()));
    assert_eq!(windows.keep(&mut all, 400, || panic!("it fits everywhere in any case")), Ok(()));
    assert_eq!(all.iter().collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn nothing_is_to_be_done_where_no_window_is_known() {
    assert!(windows(&[None, None]).is_none());
    assert!(windows(&[]).is_none());
}
