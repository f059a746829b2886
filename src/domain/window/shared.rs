//! Windows that were compiled once, for all accounts that have them.

use super::{Window, WindowError, WindowSpec};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Windows kept; beyond that it begins anew, so that a flood of shapes costs time and not memory.
const KEPT: usize = 4096;

/// Compiled windows by zone and by what they were made of. Accounts with the same shape of window share it: there are millions of
/// accounts, and to compile one takes a hash and looks a zone up.
#[derive(Default)]
pub struct Windows(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    by_zone: HashMap<Box<str>, HashMap<WindowSpec, Arc<Window>>>,
    count: usize,
}

impl Windows {
    /// The window of a shape, in the default zone where it names none.
    ///
    /// # Errors
    /// [`WindowError`] as of [`WindowSpec::compile`].
    pub fn get(&self, spec: &WindowSpec, default_zone: &str) -> Result<Arc<Window>, WindowError> {
        // Where the default plays no part, accounts of all zones share the window.
        let zone = if spec.zone.is_some() || !spec.kind.uses_zone() { "" } else { default_zone };
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(window) = kept.by_zone.get(zone).and_then(|windows| windows.get(spec)) {
            return Ok(window.clone());
        }
        let window = Arc::new(spec.compile(default_zone)?);
        if kept.count == KEPT {
            *kept = Kept::default();
        }
        kept.count += 1;
        kept.by_zone.entry(zone.into()).or_default().insert(spec.clone(), window.clone());
        Ok(window)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Span;
    use crate::domain::window::WindowKind;

    #[test]
    fn a_shape_in_a_zone_is_compiled_once_and_there_are_never_too_many() {
        let (windows, day) = (Windows::default(), WindowSpec::of(WindowKind::Day));
        let first = windows.get(&day, "UTC").unwrap();
        assert!(Arc::ptr_eq(&first, &windows.get(&day, "UTC").unwrap()));
        assert_ne!(first, windows.get(&day, "Europe/Paris").unwrap(), "another zone");
        assert!(windows.get(&day, "Mars/Olympus").is_err());
        for spec in [WindowSpec::of(WindowKind::Minute), WindowSpec { zone: Some("Asia/Tokyo".into()), ..day.clone() }]
        {
            let [one, other] = ["UTC", "Europe/Paris"].map(|zone| windows.get(&spec, zone).unwrap());
            assert!(Arc::ptr_eq(&one, &other) && one == spec.compile("Europe/Paris").unwrap().into());
        }
        for minutes in 1..=KEPT as i64 {
            let spec =
                WindowSpec { length: Some(Span::from_secs(60 * minutes)), ..WindowSpec::of(WindowKind::Sliding) };
            windows.get(&spec, "UTC").unwrap();
        }
        let again = windows.get(&day, "UTC").unwrap();
        assert!(again == first && !Arc::ptr_eq(&again, &first), "it was let go and is the same");
        assert_eq!(windows.0.lock().unwrap().count, 5);
    }
}
