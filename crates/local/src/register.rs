//! Registration and removal.

use crate::{
    Key, LocalError, ProbeKind, Registry, ScriptPermission, Source, Thresholds,
    check_row::{Place, attach, check_row},
    registry::{CheckEntry, GoneCheck, ServiceEntry, Sync},
    rules,
    service_row::service_row,
};
use std::{collections::BTreeSet, sync::Arc};
use types::{
    SecretToken, Str, Tenancy,
    definition::{CheckDefinition, ServiceDefinition},
    record::{HealthCheck, NODE_MAINTENANCE, NodeService, SERVICE_MAINTENANCE_PREFIX, status::CRITICAL},
    validate,
};

/// Note of a node in maintenance without a reason.
pub const NODE_MAINTENANCE_REASON: &str =
    "Maintenance mode is enabled for this node, but no reason was provided. This is a default message.";
/// Note of a service in maintenance without a reason.
pub const SERVICE_MAINTENANCE_REASON: &str =
    "Maintenance mode is enabled for this service, but no reason was provided. This is a default message.";

const SCRIPTS_DENIED: &str = "Scripts are disabled on this agent; to enable, configure 'enable_script_checks' or \
                              'enable_local_script_checks' to true";
const SCRIPTS_DENIED_REMOTE: &str = "Scripts are disabled on this agent from remote calls; to enable, configure \
                                     'enable_script_checks' to true";

/// What a registration or removal touched, for the owner of runners and files.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Change {
    /// Services that were registered or replaced.
    pub services: Vec<Key>,
    /// Checks that were registered or replaced.
    pub checks: Vec<Key>,
    /// Those of `checks` whose runner must start anew; the others go on as they are.
    pub restart: Vec<Key>,
    /// Services that are gone.
    pub removed_services: Vec<Key>,
    /// Checks that are gone.
    pub removed_checks: Vec<Key>,
}

impl Change {
    /// Takes in what a later step touched.
    pub fn merge(&mut self, later: Self) {
        self.services.extend(later.services);
        self.checks.extend(later.checks);
        self.restart.extend(later.restart);
        self.removed_services.extend(later.removed_services);
        self.removed_checks.extend(later.removed_checks);
    }
}

/// A service ready to be put in place: nothing can fail any more.
struct Prepared {
    row: NodeService,
    token: SecretToken,
    is_sidecar: bool,
    checks: Vec<(Key, CheckDefinition, HealthCheck)>,
}

impl Registry {
    /// Registers or replaces a service, its checks, and the sidecar that it asks for.
    ///
    /// # Errors
    /// The definition is refused; nothing was changed.
    pub fn register_service(
        &mut self,
        d: &ServiceDefinition,
        source: Source,
        replace_existing_checks: bool,
        token: &SecretToken,
        now_ms: u64,
    ) -> Result<Change, LocalError> {
        if source == Source::Api {
            rules::service_request(d)?;
        }
        let mut prepared = Vec::with_capacity(2);
        if let Some(sidecar) = self.sidecar(d)? {
            let p = self.prepare(&sidecar, source, token, true)?;
            if source == Source::Api {
                validate::node_service(&p.row)
                    .map_err(|e| LocalError::BadRequest(Str::from(format!("Failed Validation: {e}"))))?;
            }
            prepared.push(p);
        }
        prepared.push(self.prepare(d, source, token, false)?);
        self.full(prepared.len(), prepared.iter().map(|p| p.checks.len()).sum())?;

        let mut change = Change::default();
        for p in prepared {
            self.put_service(p, source, replace_existing_checks, now_ms, &mut change);
        }
        self.revision += 1;
        Ok(change)
    }

    fn prepare(
        &self,
        d: &ServiceDefinition,
        source: Source,
        token: &SecretToken,
        is_sidecar: bool,
    ) -> Result<Prepared, LocalError> {
        let row = service_row(d)?;
        let several = d.checks.len() > 1;
        let mut checks = Vec::with_capacity(d.checks.len());
        for (n, c) in d.checks.iter().enumerate() {
            self.allowed(c, source)?;
            let id = if !c.id.is_empty() {
                c.id.clone()
            } else if several {
                Str::from(format!("service:{}:{}", row.id, n + 1))
            } else {
                Str::from(format!("service:{}", row.id))
            };
            let check = check_row(&self.settings.node.name, c, id.clone(), Some(&row), Place::Service);
            checks.push((Key::new(&row.tenancy, &id), c.clone(), check));
        }
        let token = if d.token.is_empty() { token } else { &d.token };
        Ok(Prepared { row, token: token.clone(), is_sidecar, checks })
    }

    /// Whether this agent may and can run such a check.
    pub(crate) fn allowed(&self, c: &CheckDefinition, source: Source) -> Result<(), LocalError> {
        let refuse = |text| Err(LocalError::Internal(Str::new_static(text)));
        match ProbeKind::of(c) {
            Some(ProbeKind::Script | ProbeKind::Docker) => match (self.settings.scripts, source) {
                (ScriptPermission::Denied, _) => refuse(SCRIPTS_DENIED),
                (ScriptPermission::Files, Source::Api) => refuse(SCRIPTS_DENIED_REMOTE),
                _ => Ok(()),
            },
            Some(ProbeKind::OsService) => refuse("not implemented"),
            _ => Ok(()),
        }
    }

    fn put_service(&mut self, p: Prepared, source: Source, replace: bool, now_ms: u64, change: &mut Change) {
        let key = Key::new(&p.row.tenancy, &p.row.id);
        if replace {
            let keep: BTreeSet<&Key> = p.checks.iter().map(|(k, ..)| k).collect();
            for check in self.checks_of(&key) {
                if !keep.contains(&check) {
                    self.drop_check(&check, None);
                    change.removed_checks.push(check);
                }
            }
        }
        let version = self.next_version();
        let row = Arc::new(p.row);
        let sync = match self.services.get(&key) {
            Some(old) if old.row == row && old.token == p.token => old.sync,
            _ => Sync { in_sync: false, version },
        };
        self.gone_services.remove(&key);
        // Checks that stay show the name and tags that the service has now.
        for check in self.checks_of(&key) {
            if let Some(entry) = self.checks.get_mut(&check) {
                let mut now = entry.row.as_ref().clone();
                attach(&mut now, &row);
                if now != *entry.row {
                    entry.row = Arc::new(now);
                    entry.sync = Sync { in_sync: false, version };
                }
            }
        }
        self.services.insert(
            key.clone(),
            ServiceEntry { row, source, token: p.token.clone(), is_sidecar: p.is_sidecar, sync },
        );
        change.services.push(key);
        for (key, definition, row) in p.checks {
            self.put_check(key, Some(definition), row, source, p.token.clone(), now_ms, change);
        }
    }

    /// Puts a check in place; one that exists keeps its status and output.
    #[expect(clippy::too_many_arguments, reason = "one private helper of the ways to register a check")]
    fn put_check(
        &mut self,
        key: Key,
        definition: Option<CheckDefinition>,
        mut row: HealthCheck,
        source: Source,
        token: SecretToken,
        now_ms: u64,
        change: &mut Change,
    ) {
        let version = self.next_version();
        let old = self.checks.remove(&key);
        let mut critical_since_ms = (row.status == CRITICAL).then_some(now_ms);
        let mut sync = Sync { in_sync: false, version };
        let mut deferred_until_ms = None;
        let mut same_definition = false;
        if let Some(old) = &old {
            row.status = old.row.status.clone();
            row.output = old.row.output.clone();
            critical_since_ms = old.critical_since_ms;
            deferred_until_ms = old.deferred_until_ms;
            if *old.row == row && old.token == token {
                sync = old.sync;
            }
            same_definition = old.definition.as_deref() == definition.as_ref();
        }
        // A TTL starts anew with each registration.
        let ttl = definition.as_ref().and_then(ProbeKind::of) == Some(ProbeKind::Ttl);
        let thresholds = match &old {
            Some(old) if same_definition => old.thresholds,
            _ => Thresholds::new(definition.as_ref().unwrap_or(&CheckDefinition::default())),
        };
        self.gone_checks.remove(&key);
        self.checks.insert(
            key.clone(),
            CheckEntry {
                row: Arc::new(row),
                definition: definition.map(Arc::new),
                source,
                token,
                critical_since_ms,
                thresholds,
                deferred_until_ms,
                sync,
            },
        );
        if !same_definition || ttl {
            change.restart.push(key.clone());
        }
        change.checks.push(key);
    }

    /// Removes a service, its checks, and the sidecar that came with it.
    ///
    /// # Errors
    /// [`LocalError::NotFound`].
    pub fn deregister_service(&mut self, key: &Key) -> Result<Change, LocalError> {
        if !self.services.contains_key(key) {
            return Err(LocalError::unknown_service(&key.id));
        }
        let mut change = Change::default();
        self.drop_service(key, &mut change);
        let sidecar = Key::new(&key.tenancy, format!("{}{}", key.id, crate::SIDECAR_SUFFIX));
        if self.services.get(&sidecar).is_some_and(|s| s.is_sidecar) {
            self.drop_service(&sidecar, &mut change);
        }
        self.revision += 1;
        Ok(change)
    }

    fn drop_service(&mut self, key: &Key, change: &mut Change) {
        let Some(entry) = self.services.remove(key) else { return };
        for check in self.checks_of(key) {
            // The catalog drops the checks with their service, unless it has an older form of the check elsewhere.
            let unsynced = self.checks.get(&check).is_some_and(|c| !c.sync.in_sync);
            self.drop_check(&check, (!unsynced).then(|| key.clone()));
            change.removed_checks.push(check);
        }
        self.gone_services.insert(key.clone(), entry.token);
        change.removed_services.push(key.clone());
    }

    fn drop_check(&mut self, key: &Key, with_service: Option<Key>) {
        let Some(entry) = self.checks.remove(key) else { return };
        if let Some(due) = entry.deferred_until_ms {
            self.deferred.remove(&(due, key.clone()));
        }
        self.gone_checks.insert(key.clone(), GoneCheck { token: entry.token, with_service });
    }

    fn checks_of(&self, service: &Key) -> Vec<Key> {
        self.checks
            .iter()
            .filter(|(k, c)| k.tenancy == service.tenancy && c.row.service_id.as_str() == service.id)
            .map(|(k, _)| k.clone())
            .collect()
    }

    /// Registers or replaces one check, of the node or of the service that it names.
    ///
    /// # Errors
    /// The definition is refused; nothing was changed.
    pub fn register_check(
        &mut self,
        c: &CheckDefinition,
        source: Source,
        token: &SecretToken,
        now_ms: u64,
    ) -> Result<Change, LocalError> {
        if source == Source::Api {
            rules::check_request(c)?;
        }
        let id = if c.id.is_empty() { &c.name } else { &c.id };
        if id.is_empty() {
            return Err(LocalError::Internal(Str::new_static("CheckID missing")));
        }
        let service = if c.service_id.is_empty() {
            None
        } else {
            let found = self.services.get(&Key::new(&c.tenancy, &c.service_id));
            Some(Arc::clone(
                &found
                    .ok_or_else(|| {
                        LocalError::NotFound(Str::from(format!(
                            "ServiceID {:?} does not exist",
                            c.service_id
                        )))
                    })?
                    .row,
            ))
        };
        self.allowed(c, source)?;
        self.full(0, 1)?;
        let place = if source == Source::File { Place::File } else { Place::Api };
        let row = check_row(&self.settings.node.name, c, id.clone(), service.as_deref(), place);
        let token = if c.token.is_empty() { token } else { &c.token };
        let mut change = Change::default();
        let key = Key::new(&c.tenancy, id);
        self.put_check(key, Some(c.clone()), row, source, token.clone(), now_ms, &mut change);
        self.revision += 1;
        Ok(change)
    }

    /// Removes a check.
    ///
    /// # Errors
    /// [`LocalError::NotFound`].
    pub fn deregister_check(&mut self, key: &Key) -> Result<Change, LocalError> {
        if !self.checks.contains_key(key) {
            return Err(LocalError::unknown_check(&key.id));
        }
        self.drop_check(key, None);
        self.revision += 1;
        Ok(Change { removed_checks: vec![key.clone()], ..Change::default() })
    }

    /// Puts the node into maintenance or takes it out. A second enable keeps the first reason.
    pub fn node_maintenance(
        &mut self,
        enable: bool,
        reason: &str,
        token: &SecretToken,
        now_ms: u64,
    ) -> Change {
        let row = HealthCheck {
            check_id: NODE_MAINTENANCE.into(),
            name: Str::new_static("Node Maintenance Mode"),
            notes: Str::new(if reason.is_empty() { NODE_MAINTENANCE_REASON } else { reason }),
            ..HealthCheck::default()
        };
        self.maintenance(Key::new(&Tenancy::default(), NODE_MAINTENANCE), enable, row, token, now_ms)
    }

    /// Puts a service into maintenance or takes it out. A second enable keeps the first reason.
    ///
    /// # Errors
    /// [`LocalError::NotFound`].
    pub fn service_maintenance(
        &mut self,
        service: &Key,
        enable: bool,
        reason: &str,
        token: &SecretToken,
        now_ms: u64,
    ) -> Result<Change, LocalError> {
        let entry = self.services.get(service).ok_or_else(|| LocalError::unknown_service(&service.id))?;
        let id = Str::from(format!("{SERVICE_MAINTENANCE_PREFIX}{}", service.id));
        let mut row = HealthCheck {
            check_id: id.as_str().into(),
            name: Str::new_static("Service Maintenance Mode"),
            notes: Str::new(if reason.is_empty() { SERVICE_MAINTENANCE_REASON } else { reason }),
            ..HealthCheck::default()
        };
        attach(&mut row, &entry.row);
        Ok(self.maintenance(Key::new(&service.tenancy, &id), enable, row, token, now_ms))
    }

    fn maintenance(
        &mut self,
        key: Key,
        enable: bool,
        mut row: HealthCheck,
        token: &SecretToken,
        now_ms: u64,
    ) -> Change {
        let mut change = Change::default();
        let exists = self.checks.contains_key(&key);
        if enable && !exists {
            row.node = self.settings.node.name.clone();
            row.status = Str::new_static(CRITICAL);
            row.kind = Str::new_static("maintenance");
            self.put_check(key, None, row, Source::Api, token.clone(), now_ms, &mut change);
            change.restart.clear();
            self.revision += 1;
        } else if !enable && exists {
            self.drop_check(&key, None);
            change.removed_checks.push(key);
            self.revision += 1;
        }
        change
    }

    /// Removes everything that came from files and is not among these keys.
    pub fn retire_files(&mut self, keep_services: &BTreeSet<Key>, keep_checks: &BTreeSet<Key>) -> Change {
        let mut change = Change::default();
        let services: Vec<Key> = self
            .services
            .iter()
            .filter(|(k, s)| s.source == Source::File && !keep_services.contains(*k))
            .map(|(k, _)| k.clone())
            .collect();
        for key in services {
            self.drop_service(&key, &mut change);
        }
        let checks: Vec<Key> = self
            .checks
            .iter()
            .filter(|(k, c)| c.source == Source::File && !keep_checks.contains(*k))
            .map(|(k, _)| k.clone())
            .collect();
        for key in checks {
            self.drop_check(&key, None);
            change.removed_checks.push(key);
        }
        self.revision += 1;
        change
    }

    /// Frees the ports of sidecars that came from files, so that a reload assigns them in file order again.
    pub fn release_file_sidecar_ports(&mut self) {
        let Some(range) = self.settings.sidecar_ports.clone() else { return };
        let mut changed = false;
        for s in self.services.values_mut() {
            let in_range = u16::try_from(s.row.port).is_ok_and(|p| range.contains(&p));
            if s.source == Source::File && s.is_sidecar && in_range {
                Arc::make_mut(&mut s.row).port = 0;
                s.sync.in_sync = false;
                changed = true;
            }
        }
        if changed {
            self.revision += 1;
        }
    }
}
