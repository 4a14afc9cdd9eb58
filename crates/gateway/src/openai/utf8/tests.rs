use proptest::prelude::*;

use super::*;

fn of_the_whole(bytes: &[u8]) -> Result<(), usize> {
    std::str::from_utf8(bytes).map(|_| ()).map_err(|error| error.valid_up_to())
}

#[test]
fn every_cut_of_every_kind_of_character_and_mistake() {
    for text in [
        "aé€🦀z".as_bytes(),
        b"",
        b"\x80",
        b"a\xc3",
        b"a\xc3a",
        b"\xe2\x82",
        b"\xe2\x82a",
        b"\xf0\x9f\xa6",
        b"\xf0\x9f\xa6\xf0",
        b"\xed\xa0\x80",
        b"\xc0\x80",
        b"\xf5\x80\x80\x80",
        b"\xf0\x8f\xbf\xbf",
    ] {
        for first in 0..=text.len() {
            for second in first..=text.len() {
                let pieces = [&text[..first], &text[first..second], &text[second..]];
                assert_eq!(check(pieces), of_the_whole(text), "{text:?} at {first} and {second}");
            }
        }
        assert_eq!(check(text.chunks(1)), of_the_whole(text), "{text:?}");
    }
}

proptest! {
    #[test]
    fn pieces_are_judged_as_the_whole(
        text in "[aé€🦀]{0,12}",
        damage in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
        size in 1..7usize,
    ) {
        let mut bytes = text.into_bytes();
        if let (Some((at, byte)), false) = (damage, bytes.is_empty()) {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        prop_assert_eq!(check(bytes.chunks(size)), of_the_whole(&bytes));
    }
}
