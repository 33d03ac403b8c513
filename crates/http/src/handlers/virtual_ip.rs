//! `/v1/internal/service-virtual-ip`: addresses that an operator gives a service of the mesh besides its own.

use crate::{context::Ctx, error::HttpError, reply::Reply};
use bytes::Bytes;
use runtime::BoxFuture;
use serde_json::{Map, Value, json};
use types::{
    RequestError, Str, Tenancy,
    command::{Command, CommandResponse},
};

pub(crate) fn assign<'a>(ctx: &'a Ctx<'a>, body: Bytes) -> BoxFuture<'a, Result<Reply, HttpError>> {
    Box::pin(async move {
        let given = api::request::manual_vips(&body).map_err(|e| HttpError::decode(&e))?;
        let addresses = given.addresses().map_err(HttpError::internal)?;
        let own = ctx.tenancy();
        let or = |given: &Str, own: &str| if given.is_empty() { Str::new(own) } else { given.clone() };
        let tenancy =
            Tenancy::new(&or(&given.partition, own.partition()), &or(&given.namespace, own.namespace()));
        let datacenter = if given.datacenter.is_empty() { ctx.datacenter() } else { Some(given.datacenter) };
        let command = Command::ManualVips { tenancy, service: given.service, addresses };
        let (_index, answer) = ctx.server.submit.submit(datacenter.as_deref(), &ctx.token(), command).await?;
        let CommandResponse::ManualVips(losers) = answer else {
            return Err(RequestError::Malformed("virtual addresses expected".into()).into());
        };
        let from: Option<Vec<Value>> =
            losers.as_ref().filter(|l| !l.is_empty()).map(|l| l.iter().map(loser).collect());
        Ok(Reply::json(json!({ "Found": losers.is_some(), "UnassignedFrom": from }).to_string()))
    })
}

fn loser((tenancy, name): &(Tenancy, Str)) -> Value {
    let mut service = Map::from_iter([("Name".to_owned(), json!(name))]);
    if !tenancy.is_default() {
        service.insert("Namespace".into(), json!(tenancy.namespace()));
        service.insert("Partition".into(), json!(tenancy.partition()));
    }
    json!({ "ServiceName": service, "Peer": "" })
}
