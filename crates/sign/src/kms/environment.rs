//! Variables, as somebody else looks them up.

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::KmsError;

/// Looks variables up. The program passes its environment, tests pass a table.
#[derive(Clone)]
pub struct Environment(Arc<Lookup>);

type Lookup = dyn Fn(&str) -> Option<String> + Send + Sync;

impl Environment {
    /// Variables by this function.
    pub fn new(lookup: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(lookup))
    }

    /// The first of `names` that is set and not empty. It may be secret, so it is overwritten when dropped.
    pub(super) fn first(&self, names: &[&str]) -> Option<Zeroizing<String>> {
        names.iter().filter_map(|name| (self.0)(name)).find(|value| !value.is_empty()).map(Zeroizing::new)
    }

    /// A variable as it is, if it is set and not empty.
    pub(super) fn value(&self, name: &str) -> Option<Zeroizing<String>> {
        self.first(&[name])
    }

    /// A variable that must be set.
    pub(super) fn require(&self, name: &str) -> Result<Zeroizing<String>, KmsError> {
        self.value(name).ok_or_else(|| KmsError::Variable { name: name.to_owned() })
    }
}

/// Without the values.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Environment(…)")
    }
}
