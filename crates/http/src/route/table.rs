//! All endpoints.

use super::{
    BodyLimit, Handler,
    Handler::{Acl, NotBuilt, Now, Read},
    Route,
    Verb::{Delete, Get, Post, Put},
    WaitFn,
};
use crate::handlers::{
    agent, agent_checks, agent_health, agent_services, catalog, config, connect, coordinate, event,
    federation, health, kv, operator, query, session, snapshot, status, tenancy, txn, usage, virtual_ip,
};

const fn wait(f: WaitFn) -> Handler {
    Handler::Wait(f, BodyLimit::Default)
}

macro_rules! routes {
    ($($pattern:literal => $($verb:ident $handler:expr),+;)*) => {
        &[$(Route { pattern: $pattern, on: &[$(($verb, $handler)),+] }),*]
    };
}

const INTENTIONS: Handler = NotBuilt("intentions");
const PEERING: Handler = NotBuilt("cluster peering");
const UI: Handler = NotBuilt("endpoints of the user interface");

/// Every endpoint of the API.
pub(crate) const TABLE: &[Route] = routes! {
    "/v1/acl/bootstrap" => Put Acl;
    "/v1/acl/login" => Post Acl;
    "/v1/acl/logout" => Post Acl;
    "/v1/acl/replication" => Get Acl;
    "/v1/acl/policies" => Get Acl;
    "/v1/acl/policy" => Put Acl;
    "/v1/acl/policy/" => Get Acl, Put Acl, Delete Acl;
    "/v1/acl/policy/name/" => Get Acl;
    "/v1/acl/roles" => Get Acl;
    "/v1/acl/role" => Put Acl;
    "/v1/acl/role/" => Get Acl, Put Acl, Delete Acl;
    "/v1/acl/role/name/" => Get Acl;
    "/v1/acl/tokens" => Get Acl;
    "/v1/acl/token" => Put Acl;
    "/v1/acl/token/" => Get Acl, Put Acl, Delete Acl;
    "/v1/acl/token/self" => Get Acl;
    "/v1/acl/binding-rules" => Get Acl;
    "/v1/acl/binding-rule" => Put Acl;
    "/v1/acl/binding-rule/" => Get Acl, Put Acl, Delete Acl;
    "/v1/acl/auth-methods" => Get Acl;
    "/v1/acl/auth-method" => Put Acl;
    "/v1/acl/auth-method/" => Get Acl, Put Acl, Delete Acl;
    "/v1/acl/templated-policies" => Get Acl;
    "/v1/acl/templated-policy/name/" => Get Acl;
    "/v1/acl/templated-policy/preview/" => Post Acl;
    "/v1/internal/acl/authorize" => Post Acl;

    "/v1/agent/self" => Get Now(agent::self_info);
    "/v1/agent/version" => Get Now(agent::version);
    "/v1/agent/host" => Get wait(agent::host);
    "/v1/agent/members" => Get Now(agent::members);
    "/v1/agent/join/" => Put wait(agent::join);
    "/v1/agent/leave" => Put wait(agent::leave);
    "/v1/agent/force-leave/" => Put wait(agent::force_leave);
    "/v1/agent/reload" => Put wait(agent::reload);
    "/v1/agent/maintenance" => Put wait(agent::maintenance);
    "/v1/agent/token/" => Put wait(agent::token);
    "/v1/agent/metrics" => Get Now(agent::metrics);
    "/v1/agent/metrics/stream" => Get Now(agent::metrics_stream);
    "/v1/agent/monitor" => Get Now(agent::monitor);
    "/v1/agent/services" => Get Now(agent_services::list);
    "/v1/agent/service/" => Get wait(agent_services::get);
    "/v1/agent/service/register" => Put wait(agent_services::register);
    "/v1/agent/service/deregister/" => Put wait(agent_services::deregister);
    "/v1/agent/service/maintenance/" => Put wait(agent_services::maintenance);
    "/v1/agent/checks" => Get Now(agent_checks::list);
    "/v1/agent/check/register" => Put wait(agent_checks::register);
    "/v1/agent/check/deregister/" => Put wait(agent_checks::deregister);
    "/v1/agent/check/pass/" => Put wait(agent_checks::pass);
    "/v1/agent/check/warn/" => Put wait(agent_checks::warn);
    "/v1/agent/check/fail/" => Put wait(agent_checks::fail);
    "/v1/agent/check/update/" => Put wait(agent_checks::update);
    "/v1/agent/health/service/id/" => Get Now(agent_health::by_id);
    "/v1/agent/health/service/name/" => Get Now(agent_health::by_name);
    "/v1/agent/connect/authorize" => Post wait(connect::authorize);
    "/v1/agent/connect/ca/roots" => Get Read(connect::agent_roots);
    "/v1/agent/connect/ca/leaf/" => Get wait(connect::leaf);

    "/v1/catalog/register" => Put wait(catalog::register);
    "/v1/catalog/deregister" => Put wait(catalog::deregister);
    "/v1/catalog/datacenters" => Get wait(catalog::datacenters);
    "/v1/catalog/nodes" => Get Read(catalog::nodes);
    "/v1/catalog/services" => Get Read(catalog::services);
    "/v1/catalog/service/" => Get Read(catalog::service);
    "/v1/catalog/connect/" => Get Read(catalog::connect);
    "/v1/catalog/node/" => Get Read(catalog::node);
    "/v1/catalog/node-services/" => Get Read(catalog::node_services);
    "/v1/catalog/gateway-services/" => Get Read(catalog::gateway_services);

    "/v1/config" => Put wait(config::put);
    "/v1/config/" => Get Read(config::get), Delete wait(config::delete);
    "/v1/exported-services" => Get NotBuilt("the view of exported services");

    "/v1/connect/ca/configuration" => Get Read(connect::configuration), Put wait(connect::configure);
    "/v1/connect/ca/roots" => Get Read(connect::roots);
    "/v1/connect/intentions" => Get INTENTIONS, Post INTENTIONS;
    "/v1/connect/intentions/" => Get INTENTIONS, Put INTENTIONS, Delete INTENTIONS;
    "/v1/connect/intentions/exact" => Get INTENTIONS, Put INTENTIONS, Delete INTENTIONS;
    "/v1/connect/intentions/match" => Get INTENTIONS;
    "/v1/connect/intentions/check" => Get INTENTIONS;

    "/v1/coordinate/datacenters" => Get wait(coordinate::datacenters);
    "/v1/coordinate/nodes" => Get Read(coordinate::nodes);
    "/v1/coordinate/node/" => Get Read(coordinate::node);
    "/v1/coordinate/update" => Put wait(coordinate::update);

    "/v1/discovery-chain/" => Get NotBuilt("discovery chains"), Post NotBuilt("discovery chains");
    "/v1/event/fire/" => Put wait(event::fire);
    "/v1/event/list" => Get wait(event::list);

    "/v1/health/node/" => Get Read(health::node);
    "/v1/health/checks/" => Get Read(health::checks);
    "/v1/health/state/" => Get Read(health::state);
    "/v1/health/service/" => Get Read(health::service);
    "/v1/health/connect/" => Get Read(health::connect);
    "/v1/health/ingress/" => Get Read(health::ingress);

    "/v1/kv/" => Get Read(kv::get), Put Handler::Wait(kv::put, BodyLimit::Kv), Delete wait(kv::delete);

    "/v1/namespaces" => Get Read(tenancy::namespaces);
    "/v1/namespace" => Put wait(tenancy::set_namespace);
    "/v1/namespace/" => Get Read(tenancy::namespace), Put wait(tenancy::set_namespace), Delete wait(tenancy::delete_namespace);
    "/v1/partitions" => Get Read(tenancy::partitions);
    "/v1/partition" => Put wait(tenancy::set_partition);
    "/v1/partition/" => Get Read(tenancy::partition), Put wait(tenancy::set_partition), Delete wait(tenancy::delete_partition);

    "/v1/operator/raft/configuration" => Get wait(operator::raft_configuration);
    "/v1/operator/raft/peer" => Delete wait(operator::raft_peer);
    "/v1/operator/raft/transfer-leader" => Post wait(operator::transfer_leader);
    "/v1/operator/keyring" => Get wait(operator::keyring), Post wait(operator::keyring), Put wait(operator::keyring), Delete wait(operator::keyring);
    "/v1/operator/autopilot/configuration" => Get Read(operator::autopilot), Put wait(operator::set_autopilot);
    "/v1/operator/autopilot/health" => Get wait(operator::autopilot_health);
    "/v1/operator/autopilot/state" => Get wait(operator::autopilot_state);
    "/v1/operator/federation" => Get wait(federation::view);
    "/v1/operator/usage" => Get wait(usage::usage);

    "/v1/peering/token" => Post PEERING;
    "/v1/peering/establish" => Post PEERING;
    "/v1/peering/" => Get PEERING, Delete PEERING;
    "/v1/peerings" => Get PEERING;

    "/v1/query" => Get Read(query::list), Post wait(query::create);
    "/v1/query/" => Get Read(query::get), Put wait(query::update), Delete wait(query::delete);

    "/v1/session/create" => Put wait(session::create);
    "/v1/session/destroy/" => Put wait(session::destroy);
    "/v1/session/renew/" => Put wait(session::renew);
    "/v1/session/info/" => Get Read(session::info);
    "/v1/session/node/" => Get Read(session::of_node);
    "/v1/session/list" => Get Read(session::list);

    "/v1/snapshot" => Get wait(snapshot::save), Put Handler::Upload(snapshot::restore);
    "/v1/status/leader" => Get wait(status::leader);
    "/v1/status/peers" => Get wait(status::peers);
    "/v1/txn" => Put Handler::Wait(txn::run, BodyLimit::Txn);

    "/v1/internal/ui/nodes" => Get UI;
    "/v1/internal/ui/node/" => Get UI;
    "/v1/internal/ui/services" => Get UI;
    "/v1/internal/ui/exported-services" => Get UI;
    "/v1/internal/ui/catalog-overview" => Get UI;
    "/v1/internal/ui/gateway-services-nodes/" => Get UI;
    "/v1/internal/ui/gateway-intentions/" => Get UI;
    "/v1/internal/ui/service-topology/" => Get UI;
    "/v1/internal/ui/metrics-proxy/" => Get UI;
    "/v1/internal/service-virtual-ip" => Put wait(virtual_ip::assign);
    "/v1/internal/federation-states" => Get Read(federation::states);
    "/v1/internal/federation-states/mesh-gateways" => Get Read(federation::gateways);
    "/v1/internal/federation-state/" => Get Read(federation::state);
};
