//! `PUT /v1/txn`

use crate::{
    context::Ctx,
    error::HttpError,
    options::{Family, query_options},
    reply::Reply,
};
use bytes::Bytes;
use http::StatusCode;
use runtime::BoxFuture;
use types::{
    RequestError,
    command::{Command, CommandResponse},
    query::{Query, QueryMeta, QueryResult, TxnRead},
    txn::{TXN_OPS_MAX, TxnAnswer, TxnOp},
};

pub(crate) fn run<'a>(ctx: &'a Ctx<'a>, body: Bytes) -> BoxFuture<'a, Result<Reply, HttpError>> {
    Box::pin(async move {
        let ops = api::request::txn(&body, &ctx.tenancy())
            .map_err(|e| HttpError::bad_request(format!("Failed to parse body: {e}")))?;
        if ops.len() > TXN_OPS_MAX {
            let (n, max) = (ops.len(), TXN_OPS_MAX);
            let text = format!("Transaction contains too many operations ({n} > {max})");
            return Err(HttpError::new(StatusCode::PAYLOAD_TOO_LARGE, text));
        }
        values_fit(ctx, &ops)?;
        if ops.iter().any(TxnOp::writes) { write(ctx, ops).await } else { read(ctx, ops).await }
    })
}

fn values_fit(ctx: &Ctx<'_>, ops: &[TxnOp]) -> Result<(), HttpError> {
    let max = ctx.config.kv_max_value_size;
    for op in ops {
        if let TxnOp::Kv { key, value, .. } = op
            && value.len() > max
        {
            let (key, n) = (api::decode::quote(key), value.len());
            let text = format!("Value for key {key} is too large ({n} > {max} bytes)");
            return Err(HttpError::new(StatusCode::PAYLOAD_TOO_LARGE, text));
        }
    }
    Ok(())
}

async fn write(ctx: &Ctx<'_>, ops: Vec<TxnOp>) -> Result<Reply, HttpError> {
    let datacenter = ctx.datacenter();
    // Node rows carry the name of the datacenter that they are in.
    let home = datacenter.clone().unwrap_or_else(|| ctx.config.datacenter.clone());
    let command = Command::Txn { datacenter: home.into(), ops };
    let (_index, answer) = ctx.server.submit.submit(datacenter.as_deref(), &ctx.token(), command).await?;
    match answer {
        CommandResponse::Txn(answer) => Ok(show(&answer, None)),
        _ => Err(RequestError::Malformed("transaction expected".into()).into()),
    }
}

async fn read(ctx: &Ctx<'_>, ops: Vec<TxnOp>) -> Result<Reply, HttpError> {
    let mut options = query_options(ctx, Family::Other)?;
    (options.min_index, options.filter) = (0, None);
    let mistakes = types::txn::mistakes(&ops);
    if !mistakes.is_empty() {
        let answer = TxnAnswer { errors: mistakes, ..TxnAnswer::default() };
        return Ok(show(&answer, Some(&QueryMeta::default())));
    }
    let query = Query::Txn(TxnRead(ops));
    let response = match ctx.server.query.query_now(&query, &options) {
        Some(now) => now?,
        None => ctx.server.query.query(query, options).await?,
    };
    match response.result {
        QueryResult::Txn(answer) => Ok(show(&answer, Some(&response.meta))),
        _ => Err(RequestError::Malformed("transaction expected".into()).into()),
    }
}

fn show(answer: &TxnAnswer, meta: Option<&QueryMeta>) -> Reply {
    let mut out = Vec::new();
    api::encode::txn_answer(&mut out, answer, meta);
    let status = if answer.errors.is_empty() { StatusCode::OK } else { StatusCode::CONFLICT };
    let reply = Reply::json(out).status(status);
    let Some(meta) = meta else { return reply };
    let contact = meta.last_contact.as_millis().to_string();
    reply
        .with("x-consul-knownleader", if meta.known_leader { "true" } else { "false" })
        .with("x-consul-lastcontact", &contact)
}
