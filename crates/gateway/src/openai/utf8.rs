//! Checking UTF-8 that comes in pieces.

/// The longest encoding of a character, in bytes.
const CHAR_BYTES_MAX: usize = 4;

/// Checks that `pieces`, one after another, are UTF-8.
///
/// # Errors
/// Where the text stops being valid, as [`Utf8Error::valid_up_to`](std::str::Utf8Error::valid_up_to) of the
/// joined pieces would say.
pub(super) fn check<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<(), usize> {
    // A character that a seam goes through: its bytes so far.
    let mut open = [0; CHAR_BYTES_MAX];
    let mut open_len = 0;
    // Where the piece, or what is left of it, begins.
    let mut offset = 0;
    for mut piece in pieces {
        while open_len > 0
            && let Some((&byte, rest)) = piece.split_first()
        {
            open[open_len] = byte;
            open_len += 1;
            match std::str::from_utf8(&open[..open_len]) {
                Ok(_) => {
                    offset += open_len;
                    open_len = 0;
                }
                Err(error) if error.error_len().is_some() => return Err(offset),
                // Four bytes are a character or wrong, so a fifth is never asked for.
                Err(_) => {}
            }
            piece = rest;
        }
        match std::str::from_utf8(piece) {
            Ok(_) => offset += piece.len(),
            Err(error) if error.error_len().is_some() => return Err(offset + error.valid_up_to()),
            Err(error) => {
                let cut = &piece[error.valid_up_to()..];
                open[..cut.len()].copy_from_slice(cut);
                open_len = cut.len();
                offset += error.valid_up_to();
            }
        }
    }
    if open_len == 0 { Ok(()) } else { Err(offset) }
}

#[cfg(test)]
mod tests;
