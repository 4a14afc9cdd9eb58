use proptest::prelude::*;

use super::*;

fn all(pieces: &Pieces) -> Vec<Bytes> {
    (0..).map_while(|number| pieces.piece(number).cloned()).collect()
}

fn collected(sizes: impl IntoIterator<Item = usize>) -> Pieces {
    let mut collector = Collector::default();
    for (number, size) in sizes.into_iter().enumerate() {
        collector.push(vec![number as u8; size].into());
    }
    collector.finish()
}

fn sizes(pieces: &Pieces) -> Vec<usize> {
    all(pieces).iter().map(Bytes::len).collect()
}

#[test]
fn no_piece_is_empty() {
    for pieces in [Pieces::from(Bytes::new()), Pieces::from(vec![]), Pieces::from(vec![Bytes::new(); 3])] {
        assert!(pieces.is_empty());
        assert_eq!(pieces.piece(0), None);
        assert_eq!(*pieces.get(0..0), b""[..]);
    }
    let pieces = Pieces::from(vec!["".into(), "ab".into(), "".into(), "c".into(), "".into()]);
    assert_eq!(all(&pieces), ["ab", "c"]);
    assert_eq!(pieces.len(), 3);
}

#[test]
fn a_range_is_copied_only_across_a_seam() {
    let pieces = Pieces::from(vec!["abc".into(), "de".into(), "f".into()]);
    for (range, text) in [(0..3, "abc"), (1..2, "b"), (3..5, "de"), (5..6, "f"), (3..3, ""), (6..6, "")] {
        assert!(matches!(pieces.get(range), Cow::Borrowed(found) if found == text.as_bytes()));
    }
    for (range, text) in [(0..6, "abcdef"), (2..4, "cd"), (4..6, "ef")] {
        assert!(matches!(pieces.get(range), Cow::Owned(found) if found == text.as_bytes()));
    }
}

#[test]
fn long_pieces_are_kept_and_short_ones_joined() {
    assert_eq!(sizes(&collected([200])), [200]);
    assert_eq!(sizes(&collected([65_536, 40_000, 5])), [65_536, 40_000, 5]);
    assert_eq!(sizes(&collected([100, 200, 8_000, 1, 2])), [300, 8_000, 3]);
    assert_eq!(sizes(&collected(vec![1; 40_000])), [16_384, 16_384, 7_232]);
    let kept = Bytes::from(vec![7; 8_000]);
    let mut collector = Collector::default();
    collector.push(kept.clone());
    collector.push("end".into());
    assert_eq!(collector.finish().piece(0).unwrap().as_ptr(), kept.as_ptr());
}

#[test]
fn what_is_collected_is_what_came() {
    let came = [3_000, 3_000, 12_000, 1, 0, 4_096, 4_095, 16_384, 2];
    let whole: Vec<u8> = came.iter().enumerate().flat_map(|(at, size)| vec![at as u8; *size]).collect();
    let pieces = collected(came);
    assert_eq!(all(&pieces).concat(), whole);
    assert_eq!(pieces.len(), whole.len());
}

proptest! {
    #[test]
    fn ranges_are_those_of_the_whole(
        pieces in prop::collection::vec("[a-z]{0,4}", 0..6),
        from in any::<prop::sample::Index>(),
        to in any::<prop::sample::Index>(),
    ) {
        let whole = pieces.concat();
        let (from, to) = (from.index(whole.len() + 1), to.index(whole.len() + 1));
        let range = from.min(to)..from.max(to);
        let pieces = Pieces::from(pieces.into_iter().map(Bytes::from).collect::<Vec<_>>());
        prop_assert_eq!(&*pieces.get(range.clone()), whole[range.clone()].as_bytes());
        let parts: Vec<_> = pieces.within(range.clone()).map(|(bytes, part)| bytes.slice(part)).collect();
        prop_assert!(parts.iter().all(|part| !part.is_empty()));
        prop_assert_eq!(parts.concat(), whole[range].as_bytes());
    }
}
