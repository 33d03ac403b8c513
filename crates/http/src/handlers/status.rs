//! `/v1/status/*`: no meta headers.

use super::string_list;
use crate::{context::Ctx, error::HttpError, reply::Reply};
use bytes::Bytes;
use runtime::BoxFuture;

pub(crate) fn leader<'a>(ctx: &'a Ctx<'a>, _body: Bytes) -> BoxFuture<'a, Result<Reply, HttpError>> {
    Box::pin(async move {
        let leader = ctx.agent().raft_leader(ctx.datacenter().as_deref()).await?;
        let mut out = Vec::with_capacity(leader.len() + 2);
        api::encode::string(&mut out, &leader);
        Ok(Reply::json(out))
    })
}

pub(crate) fn peers<'a>(ctx: &'a Ctx<'a>, _body: Bytes) -> BoxFuture<'a, Result<Reply, HttpError>> {
    Box::pin(async move {
        let peers = ctx.agent().raft_peers(ctx.datacenter().as_deref()).await?;
        Ok(string_list(&peers))
    })
}
