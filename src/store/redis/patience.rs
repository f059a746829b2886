//! Whether the quick way is worth a try: where it was given up again and again, it is left out for a while, because a try that fails
//! costs a call of its own.

/// Batches that are sent the general way at most before the next try.
const MOST_LEFT_OUT: u32 = 63;

/// How the tries on one partition came out.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Patience {
    /// How often in a row it was given up.
    given_up: u32,
    /// How many batches leave it out yet.
    left_out: u32,
}

impl Patience {
    /// Whether the next batch shall try.
    pub fn tries(&mut self) -> bool {
        let tries = self.left_out == 0;
        self.left_out = self.left_out.saturating_sub(1);
        tries
    }

    /// Notes how a try came out. Once does not count: the first batch of a second finds deadlines due.
    pub fn tried(&mut self, decided: bool) {
        if decided {
            *self = Patience::default();
            return;
        }
        self.given_up += 1;
        self.left_out = 2_u32.saturating_pow(self.given_up - 1).saturating_sub(1).min(MOST_LEFT_OUT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_again_and_again_is_tried_less_and_less_until_it_succeeds() {
        let mut patience = Patience::default();
        let mut left_out = Vec::new();
        for _ in 0..9 {
            let skipped = (0..).take_while(|_| !patience.tries()).count();
            left_out.push(skipped);
            patience.tried(false);
        }
        assert_eq!(left_out, [0, 0, 1, 3, 7, 15, 31, 63, 63]);
        (0..MOST_LEFT_OUT).for_each(|_| assert!(!patience.tries()));
        assert!(patience.tries());
        patience.tried(true);
        assert_eq!(patience, Patience::default());
        assert!(patience.tries() && patience.tries());
    }
}
