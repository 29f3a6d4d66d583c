//! The names of leases. A lease is of one version of a projection: builds of different versions run side by side while
//! one is deployed, and neither can do the other's work.

use std::collections::BTreeSet;

use infrastructure::lease::ClusterView;

/// The leases of one version of a projection.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    projection: &'static str,
    version: u32,
    slices: u32,
}

/// Every lease of these.
pub(crate) fn names_of<'a>(all: impl Iterator<Item = &'a Names>) -> Vec<String> {
    all.flat_map(|names| (0..names.slices).map(|slice| names.slice(slice)).chain([names.lead()])).collect()
}

impl Names {
    pub(crate) const fn new(projection: &'static str, version: u32, slices: u32) -> Self {
        Self { projection, version, slices }
    }

    fn prefix(&self) -> String {
        format!("{}/v{}/", self.projection, self.version)
    }

    pub(crate) fn lead(&self) -> String {
        format!("{}lead", self.prefix())
    }

    fn slice(&self, slice: u32) -> String {
        format!("{}{slice}", self.prefix())
    }

    /// Which slices of a generation of `count` belong to the leases that are held. A generation may have another number of
    /// slices than there are leases: it was built with other settings.
    pub(crate) fn slices_of(&self, held: &BTreeSet<String>, count: u32) -> Vec<u32> {
        (0..count).filter(|slice| held.contains(&self.slice(slice % self.slices))).collect()
    }

    /// Whether any of its slices is held.
    pub(crate) fn holds_any(&self, held: &BTreeSet<String>) -> bool {
        (0..self.slices).any(|slice| held.contains(&self.slice(slice)))
    }

    /// Whether two sets of leases hold different slices of it.
    pub(crate) fn differ(&self, one: &BTreeSet<String>, other: &BTreeSet<String>) -> bool {
        self.slices_of(one, self.slices) != self.slices_of(other, self.slices)
    }

    /// How many of its slices nobody holds.
    pub(crate) fn unheld(&self, view: &ClusterView) -> u32 {
        let held = |name: &String| view.nodes.values().any(|node| node.held.contains(name));
        let unheld = (0..self.slices).filter(|slice| !held(&self.slice(*slice))).count();
        u32::try_from(unheld).unwrap_or(u32::MAX)
    }

    /// Whether a later version of the projection is at work somewhere.
    pub(crate) fn is_outdated(&self, view: &ClusterView) -> bool {
        let version = |name: &String| {
            let rest = name.strip_prefix(self.projection)?.strip_prefix("/v")?;
            rest.split('/').next()?.parse::<u32>().ok()
        };
        let mut held = view.nodes.values().flat_map(|node| &node.held);
        held.any(|name| version(name).is_some_and(|version| version > self.version))
    }
}
