//! The members of a group that are left while filter after filter looks at them.

use std::borrow::Cow;

/// Which members of a group are left. Costs nothing until a request leaves one out.
#[derive(Debug)]
pub(super) struct Left<'a> {
    members: usize,
    /// `None` while all of them are.
    marks: Option<Cow<'a, [bool]>>,
}

impl<'a> Left<'a> {
    /// Those of so many members that are marked; `None` is all of them.
    pub(super) fn among(members: usize, marks: Option<&'a [bool]>) -> Self {
        Self { members, marks: marks.map(Cow::Borrowed) }
    }

    pub(super) fn has(&self, member: usize) -> bool {
        self.marks.as_ref().is_none_or(|marks| marks[member])
    }

    /// The members that are left.
    pub(super) fn iter(&self) -> impl Iterator<Item = usize> {
        (0..self.members).filter(|member| self.has(*member))
    }

    /// Leaves out those that do not pass.
    pub(super) fn keep(&mut self, passes: impl Fn(usize) -> bool) {
        for member in 0..self.members {
            if self.has(member) && !passes(member) {
                let marks = self.marks.get_or_insert_with(|| vec![true; self.members].into());
                marks.to_mut()[member] = false;
            }
        }
    }

    /// Leaves out those that do not pass, unless that is all; says whether anybody passed.
    pub(super) fn keep_if_any(&mut self, passes: impl Fn(usize) -> bool) -> bool {
        let any = self.iter().any(&passes);
        if any {
            self.keep(passes);
        }
        any
    }

    pub(super) fn is_nobody(&self) -> bool {
        self.iter().next().is_none()
    }

    /// As a pick takes it: `None` is all members.
    pub(super) fn into_among(self) -> Option<Cow<'a, [bool]>> {
        self.marks
    }
}
