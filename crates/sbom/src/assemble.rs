//! From scans to an inventory.

use std::collections::BTreeMap;

use crate::{Inventory, LayerScan, Limits, Subject};

pub(crate) fn inventory(subject: Subject, layers: Vec<LayerScan>, _limits: &Limits) -> Inventory {
    let diff_ids = layers
        .iter()
        .filter(|layer| !layer.is_directory)
        .map(|layer| layer.diff_id.clone())
        .collect();
    Inventory {
        subject,
        distribution: None,
        layers: diff_ids,
        packages: BTreeMap::new(),
        relationships: Vec::new(),
        gaps: Vec::new(),
    }
}
