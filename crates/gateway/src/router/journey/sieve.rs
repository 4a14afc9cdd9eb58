//! The filters on a request's way: looked at before each pick, and what they leave out remembered.

use std::borrow::Cow;

use leastbusy_balance::{Ask, Step};

use super::{Journey, place, ways};
use crate::openai::ApiError;
use crate::router::call::Call;
use crate::router::filters::{Asked, NobodyLeft, WhenTooLong};
use crate::router::table::Table;
use crate::router::ways::{FIRST, lead_elsewhere_if_too_long};

/// What the filters have made of a request so far.
#[derive(Debug)]
pub(super) struct Sieve<'a> {
    /// Which members of the group that it is on may serve it; `None` is all of them.
    among: Option<Cow<'a, [bool]>>,
    too_long: WhenTooLong,
    /// Why what it asked for has nobody for it.
    nobody: Option<NobodyLeft>,
}

impl Sieve<'_> {
    pub(super) fn new(table: &Table, call: &Call<'_>) -> Self {
        let too_long = match lead_elsewhere_if_too_long(table, call) {
            true => WhenTooLong::Refuse,
            false => WhenTooLong::AskLongest,
        };
        Self { among: None, too_long, nobody: None }
    }

    /// As a pick takes it.
    pub(super) fn among(&self) -> Option<&[bool]> {
        self.among.as_deref()
    }
}

impl Journey<'_> {
    /// Looks which members may serve the request where it is to be picked for now. Where nobody may, says what is next.
    pub(super) fn sift(&mut self, ask: Ask) -> Result<(), Step> {
        let place = place(&self.ways, &self.first, ask.target);
        let Some(filters) = &self.router.table().groups()[place.route.group].filters else {
            self.sieve.among = None;
            return Ok(());
        };
        // An estimate sends a request elsewhere, and where there is no elsewhere it refuses nothing.
        let too_long = if ask.insist { WhenTooLong::AskLongest } else { self.sieve.too_long };
        let asked = Asked { call: self.call, overlay: place.overlay, too_long };
        let found = filters.among(&asked);
        if ask.target == FIRST {
            self.sieve.nobody = found.as_ref().err().copied();
        }
        let nobody = match found {
            Ok(among) => {
                self.sieve.among = among;
                return Ok(());
            }
            Err(nobody) => nobody,
        };
        let ways = ways(&self.ways, self.router.table(), self.call);
        let now = self.router.table().since_start(std::time::Instant::now());
        Err(self.walk.refused(nobody.as_no_pick(), now, fastrand::u64(..), ways))
    }

    /// What the client is told where the filters left nobody of what it asked for.
    pub(super) fn nobody_left(&self) -> Option<ApiError> {
        let nobody = self.sieve.nobody.filter(|_| !self.first_failed)?;
        // That its tags fit nobody is certain. That its prompt is too long is not, and a failure says more.
        let counts = nobody.is_certain() || self.first_failure.is_none();
        counts.then(|| nobody.told(self.call.model, self.call.extras))
    }
}
