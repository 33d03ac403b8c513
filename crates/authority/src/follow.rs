//! What a secondary datacenter does next. Pure: state and time are arguments.

use crate::desk::Stored;
use connect_ca::{Settings, trust_domain};
use types::{
    Str,
    ca::{CaRoot, CaRoots},
};

/// What to do next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    /// Nothing.
    Wait,
    /// The primary has no authority yet.
    NoRoot,
    /// Store these roots.
    Roots(Vec<CaRoot>),
    /// Ask the primary to sign a new intermediate authority, because of this.
    Intermediate(&'static str),
}

/// The id of the trust domain that the primary's roots are of.
pub(crate) fn cluster_id(primary: &CaRoots) -> &str {
    primary.trust_domain.strip_suffix(".consul").unwrap_or(&primary.trust_domain)
}

pub(crate) fn next_step(stored: Option<&Stored>, primary: &CaRoots, settings: &Settings, now: i64) -> Step {
    let Some(active) = primary.roots.iter().find(|r| r.active) else { return Step::NoRoot };
    let Some(stored) = stored else { return Step::Intermediate("there is none yet") };
    if stored.config.cluster_id != cluster_id(primary) {
        return Step::Intermediate("the primary is another cluster than before");
    }
    if stored.active().is_none_or(|own| own.id != active.id) {
        return Step::Intermediate("the primary has a new root");
    }
    let domain = trust_domain(&stored.config.cluster_id);
    let Some(signer) = stored.signer().ok().filter(|s| s.is_of(&domain)) else {
        return Step::Intermediate("the stored one is not usable");
    };
    if signer.key_id() == active.signing_key_id {
        return Step::Intermediate("this datacenter has signed with a root of its own");
    }
    if signer.key_kind() != settings.key {
        return Step::Intermediate("the settings ask for another kind of key");
    }
    if signer.is_past_half(now) {
        return Step::Intermediate("half of its life is over");
    }
    let wanted = local_roots(primary, &stored.state.root_pem, signer.key_id());
    let differs = |(a, b): (&CaRoot, &CaRoot)| CaRoot { index: b.index, ..a.clone() } != *b;
    if wanted.len() != stored.roots.len() || wanted.iter().zip(&stored.roots).any(differs) {
        Step::Roots(wanted)
    } else {
        Step::Wait
    }
}

/// The primary's roots, the active one with our intermediate authority below it.
pub(crate) fn local_roots(primary: &CaRoots, intermediate_pem: &str, key_id: &str) -> Vec<CaRoot> {
    let mut roots = primary.roots.clone();
    for root in roots.iter_mut().filter(|r| r.active) {
        root.intermediate_certs.push(Str::new(intermediate_pem));
        root.signing_key_id = Str::new(key_id);
    }
    roots
}

#[cfg(test)]
mod tests {
    use super::*;
    use connect_ca::{
        Csr, KeyPair, RootParams, Signer, Signing, default_config, first_ca, intermediate_csr, new_root,
        take_intermediate,
    };
    use std::time::Duration;
    use types::ca::CaConfig;

    const NOW: i64 = 1_760_000_000;
    const YEAR: i64 = 8760 * 3600;

    fn settings() -> Settings {
        default_config("c1", None).unwrap().1
    }

    fn primary(serial_number: u64) -> (CaRoots, Signer) {
        let params = RootParams { cluster_id: "c1".into(), name_id: "x".into(), serial_number, now: NOW };
        let (config, settings) = default_config("c1", None).unwrap();
        let ca = first_ca(&params, config, &settings).unwrap();
        let roots = CaRoots {
            active_root_id: ca.roots[0].id.clone(),
            trust_domain: "c1.consul".into(),
            roots: ca.roots,
        };
        (roots, Signer::read(&ca.state.root_pem, &ca.state.private_key_pem).unwrap())
    }

    fn secondary(primary: &CaRoots, by: &Signer) -> Stored {
        let key = KeyPair::generate().unwrap();
        let csr = Csr::parse(&intermediate_csr(&key, "c1", "y").unwrap()).unwrap();
        let signing = Signing { serial: 7, now: NOW, ttl: Duration::from_secs(YEAR.unsigned_abs()) };
        let pem = by.intermediate(&csr, signing).unwrap();
        let root = &primary.roots.iter().find(|r| r.active).unwrap().root_cert;
        let (signer, state) = take_intermediate(&pem, &key, "c1.consul", root, NOW).unwrap();
        let roots = local_roots(primary, &pem, signer.key_id());
        Stored { config: CaConfig { cluster_id: "c1".into(), ..CaConfig::default() }, state, roots }
    }

    #[test]
    fn the_first_intermediate_is_asked_for_once_there_is_a_root() {
        let step = |roots: &CaRoots| next_step(None, roots, &settings(), NOW);
        assert_eq!(step(&CaRoots::default()), Step::NoRoot);
        assert!(matches!(step(&primary(1).0), Step::Intermediate(_)));
    }

    #[test]
    fn the_primary_is_followed() {
        let (mut roots, by) = primary(1);
        let stored = secondary(&roots, &by);
        let step = |roots: &CaRoots, now| next_step(Some(&stored), roots, &settings(), now);
        assert_eq!(step(&roots, NOW), Step::Wait);
        assert_eq!(stored.roots[0].intermediate_certs.len(), 1);
        assert_ne!(stored.roots[0].signing_key_id, roots.roots[0].signing_key_id);
        // Indexes of another datacenter are no change.
        roots.roots[0].index.modify = 99;
        assert_eq!(step(&roots, NOW), Step::Wait);
        assert_eq!(step(&roots, NOW + YEAR / 2 + 60), Step::Intermediate("half of its life is over"));

        let old = CaRoot { active: false, rotated_out_at: NOW, id: "old".into(), ..roots.roots[0].clone() };
        roots.roots.push(old);
        let Step::Roots(wanted) = step(&roots, NOW) else { panic!("follows") };
        assert_eq!((wanted.len(), wanted[0].intermediate_certs.len()), (2, 1));
        assert!(wanted[1].intermediate_certs.is_empty());

        let larger = Settings { key: connect_ca::KeyKind { rsa: false, bits: 384 }, ..settings() };
        assert!(matches!(next_step(Some(&stored), &roots, &larger, NOW), Step::Intermediate(_)));
        assert_eq!(step(&primary(2).0, NOW), Step::Intermediate("the primary has a new root"));
        let other = CaRoots { trust_domain: "c2.consul".into(), ..primary(3).0 };
        assert!(matches!(step(&other, NOW), Step::Intermediate(_)));
    }

    #[test]
    fn a_root_of_its_own_is_given_up() {
        let params = RootParams { cluster_id: "c1".into(), name_id: "x".into(), serial_number: 1, now: NOW };
        let (root, state) = new_root(&params, &settings()).unwrap();
        let roots =
            CaRoots { active_root_id: root.id.clone(), trust_domain: "c1.consul".into(), roots: vec![root] };
        let config = CaConfig { cluster_id: "c1".into(), ..CaConfig::default() };
        let stored = Stored { config, state, roots: roots.roots.clone() };
        assert!(matches!(next_step(Some(&stored), &roots, &settings(), NOW), Step::Intermediate(_)));
    }
}
