//! Names and tags of a group's instances, counted.

use types::{Str, record::NodeService};

/// How many instances use each spelling of the name (`tag` is `None`) and each tag under it. Sorted.
///
/// A plain vector: nearly all services have a handful of distinct tags, and a map of its own would cost each of them a
/// kilobyte.
#[derive(Clone, Default, PartialEq, Debug)]
pub(crate) struct Labels(Vec<Label>);

#[derive(Clone, PartialEq, Debug)]
struct Label {
    name: Str,
    tag: Option<Str>,
    count: u32,
}

impl Labels {
    /// Counts an instance; whether a name or tag is new.
    pub fn add(&mut self, service: &NodeService) -> bool {
        let mut new = false;
        each(service, |name, tag| match self.find(name, tag) {
            Ok(at) => self.0[at].count += 1,
            Err(at) => {
                self.0.insert(at, Label { name: name.clone(), tag: tag.cloned(), count: 1 });
                new = true;
            }
        });
        new
    }

    /// Forgets an instance; whether a name or tag is gone.
    pub fn remove(&mut self, service: &NodeService) -> bool {
        let mut gone = false;
        each(service, |name, tag| {
            if let Ok(at) = self.find(name, tag) {
                self.0[at].count -= 1;
                if self.0[at].count == 0 {
                    self.0.remove(at);
                    gone = true;
                }
            }
        });
        gone
    }

    /// Names and tags in order; a name (with `None`) comes before its tags.
    pub fn iter(&self) -> impl Iterator<Item = (&Str, Option<&Str>)> {
        self.0.iter().map(|l| (&l.name, l.tag.as_ref()))
    }

    fn find(&self, name: &Str, tag: Option<&Str>) -> Result<usize, usize> {
        self.0.binary_search_by(|l| l.name.cmp(name).then_with(|| l.tag.as_ref().cmp(&tag)))
    }
}

fn each(service: &NodeService, mut f: impl FnMut(&Str, Option<&Str>)) {
    f(&service.service.0, None);
    let tags = service.tags.as_deref().unwrap_or_default();
    for (i, tag) in tags.iter().enumerate() {
        // A tag that an instance lists twice counts once.
        if !tags[..i].contains(tag) {
            f(&service.service.0, Some(tag));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(name: &str, tags: &[&str]) -> NodeService {
        NodeService {
            service: name.into(),
            tags: Some(tags.iter().map(Str::new).collect()),
            ..Default::default()
        }
    }

    #[test]
    fn counts_names_and_tags() {
        let mut l = Labels::default();
        assert!(l.add(&service("web", &["a", "b", "a"])));
        assert!(!l.add(&service("web", &["a"])));
        assert!(l.add(&service("Web", &[])));
        let all: Vec<_> = l.iter().map(|(n, t)| (n.as_str(), t.map_or("", |t| t.as_str()))).collect();
        assert_eq!(all, [("Web", ""), ("web", ""), ("web", "a"), ("web", "b")]);
        assert!(l.remove(&service("web", &["a", "b", "a"])));
        assert!(l.remove(&service("web", &["a"])));
        assert!(l.remove(&service("Web", &[])));
        assert_eq!(l, Labels::default());
    }
}
