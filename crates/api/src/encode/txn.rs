//! Answers of transactions.

use super::{
    check::check_or_null_tags,
    kv_entry, node, node_service,
    writer::{Array, Object, key},
};
use types::{
    query::QueryMeta,
    record::KvEntry,
    txn::{TxnAnswer, TxnResult},
};

/// Results or errors; of one that only reads also what a query says about its answer.
pub fn txn_answer(out: &mut Vec<u8>, answer: &TxnAnswer, meta: Option<&QueryMeta>) {
    let mut o = Object::open(out);
    let results = o.value(key!("Results"));
    if answer.errors.is_empty() {
        let mut a = Array::open(results);
        for r in &answer.results {
            result(a.item(), r);
        }
        a.close();
    } else {
        results.extend_from_slice(b"null");
    }
    let errors = o.value(key!("Errors"));
    if answer.errors.is_empty() {
        errors.extend_from_slice(b"null");
    } else {
        let mut a = Array::open(errors);
        for (at, what) in &answer.errors {
            let mut e = Object::open(a.item());
            e.u64(key!("OpIndex"), u64::from(*at));
            e.str(key!("What"), what);
            e.close();
        }
        a.close();
    }
    if let Some(meta) = meta {
        o.u64(key!("Index"), meta.index);
        o.u64(key!("LastContact"), u64::try_from(meta.last_contact.as_nanos()).unwrap_or(u64::MAX));
        o.bool(key!("KnownLeader"), meta.known_leader);
        o.str(key!("ConsistencyLevel"), "");
        o.bool(key!("NotModified"), false);
        o.u64(key!("Backend"), 0);
        o.bool(key!("ResultsFilteredByACLs"), meta.filtered_by_acls);
    }
    o.close();
}

fn result(out: &mut Vec<u8>, result: &TxnResult) {
    let mut o = Object::open(out);
    match result {
        TxnResult::Kv(entry, true) => kv_entry(o.value(key!("KV")), entry),
        TxnResult::Kv(entry, false) => {
            let silent = KvEntry { value: bytes::Bytes::new(), ..KvEntry::clone(entry) };
            kv_entry(o.value(key!("KV")), &silent);
        }
        TxnResult::Node(row) => node(o.value(key!("Node")), row),
        TxnResult::Service(row) => node_service(o.value(key!("Service")), row),
        TxnResult::Check(row) => check_or_null_tags(o.value(key!("Check")), row),
    }
    o.close();
}
