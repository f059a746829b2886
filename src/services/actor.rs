//! Who calls, by what the caller says of itself.

use crate::domain::name::is_caller_id;
use tonic::metadata::MetadataMap;

/// The metadata in which a caller says who it is.
const ACTOR: &str = "quotad-actor";
/// Who asks if the caller does not say, and the mark of a name that nobody has checked.
const ANONYMOUS: &str = "anonymous";

/// Who asks, for the audit: nobody has checked the name, and it is marked so (DESIGN section 9). A name that is not 1 to
/// 128 visible ASCII characters is none.
pub fn actor(metadata: &MetadataMap) -> String {
    let name = metadata.get(ACTOR).and_then(|value| value.to_str().ok()).filter(|name| is_caller_id(name));
    name.map_or_else(|| ANONYMOUS.to_owned(), |name| format!("{ANONYMOUS}:{name}"))
}
