use super::{BLOCK_BYTES, Stretch, stretch};

/// The same, byte by byte.
fn by_hand(bytes: &[u8]) -> Stretch {
    let whole = bytes.len() / BLOCK_BYTES * BLOCK_BYTES;
    let mut stretch = Stretch::default();
    while stretch.length < whole {
        match bytes[stretch.length] {
            b'"' | 0..b' ' => break,
            b'\\' => {
                stretch.has_escapes = true;
                // An escape that goes over the last block is left to the closer look.
                if stretch.length + 1 == whole || !matches!(bytes[stretch.length + 1], b'"' | b'\\' | b'n') {
                    break;
                }
                stretch.length += 2;
            }
            _ => stretch.length += 1,
        }
    }
    let looked_at = (stretch.length / BLOCK_BYTES + 1) * BLOCK_BYTES;
    stretch.high_bits = u64::from(bytes[..looked_at.min(whole)].iter().any(|byte| 0x80 <= *byte));
    stretch
}

fn agrees(bytes: &[u8]) {
    let mut found = stretch(bytes);
    let by_hand = by_hand(bytes);
    found.high_bits = u64::from(found.high_bits != 0);
    // Where an escape goes over the seam of two blocks, the second has been looked at as well.
    if found.length % BLOCK_BYTES == BLOCK_BYTES - 1 {
        found.high_bits = by_hand.high_bits;
    }
    assert_eq!(found, by_hand, "{}", bytes.escape_ascii());
}

#[test]
fn every_short_pattern_at_every_place_is_read_as_byte_by_byte() {
    let letters = [b'x', b'"', b'\\', b'n', 0x1f, 0xc3];
    for number in 0..letters.len().pow(4) {
        let pattern: Vec<u8> =
            (0..4).map(|place| letters[number / letters.len().pow(place) % letters.len()]).collect();
        for at in [0, 1, 30, 31, 32, 59, 60, 61, 62, 63, 64, 125, 126, 140] {
            let mut bytes = vec![b' '; at];
            bytes.extend(&pattern);
            bytes.resize(200, b'~');
            agrees(&bytes);
        }
    }
}

#[test]
fn runs_of_backslashes_of_every_length_are_read_as_byte_by_byte() {
    for before in 0..66 {
        for length in 0..140 {
            for behind in [b'"', b'n', b'u', b' '] {
                let mut bytes = vec![b'a'; before];
                bytes.resize(before + length, b'\\');
                bytes.push(behind);
                bytes.resize(300, b'z');
                agrees(&bytes);
            }
        }
    }
}

#[test]
fn all_instruction_sets_read_alike() {
    use fearless_simd::Level;
    // Dense in what matters, from a generator that gives the same each time.
    let mut state = 1u64;
    for length in 0..400 {
        let bytes: Vec<u8> = (0..length)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                b"abc\\\\n\"\xc3 de"[(state >> 33) as usize % 11]
            })
            .collect();
        let baseline = fearless_simd::dispatch!(Level::baseline(), simd => super::stretch_with(simd, &bytes));
        assert_eq!(stretch(&bytes), baseline);
        agrees(&bytes);
    }
}
