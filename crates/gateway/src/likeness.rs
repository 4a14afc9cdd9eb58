//! What a misspelt name was probably meant to be.

/// The one of `names` that is most like `name`, if any is like it at all.
pub(crate) fn nearest<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    alike(name, names).max_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, candidate)| candidate)
}

/// Those of `names` that `name` may be a slip for, with how like they are.
pub(crate) fn alike<'n>(
    name: &str,
    names: impl Iterator<Item = &'n str>,
) -> impl Iterator<Item = (f64, &'n str)> {
    let plain = |name: &str| name.to_lowercase().replace('-', "_");
    let name = plain(name);
    names
        .map(move |candidate| (strsim::normalized_damerau_levenshtein(&name, &plain(candidate)), candidate))
        // Two letters wrong in five still suggest the word; more than that is somebody else's word.
        .filter(|(likeness, _)| *likeness >= 0.6)
}
