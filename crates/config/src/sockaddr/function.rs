//! Running pipelines.

use super::{
    IfAddr, attr,
    filter::{self, Order},
    is_forwardable,
    parse::{Command, Operand, OperandKind, Piece, Pipeline},
};

/// What failed, and where in the template.
pub(super) struct Failed {
    pub(super) offset: usize,
    pub(super) at: String,
    pub(super) what: String,
}

enum Value {
    Text(String),
    Int(i64),
    Bool(bool),
    Addrs(Vec<IfAddr>),
}

pub(super) fn run(pieces: &[Piece], interfaces: &[IfAddr]) -> Result<String, Failed> {
    let mut out = String::new();
    for piece in pieces {
        match piece {
            Piece::Text(t) => out.push_str(t),
            Piece::Pipeline(p) => match pipeline(p, interfaces)? {
                Value::Text(t) => out.push_str(&t),
                Value::Int(n) => out.push_str(&n.to_string()),
                Value::Bool(b) => out.push_str(&b.to_string()),
                Value::Addrs(list) => {
                    let texts: Vec<String> = list.iter().map(attr::string).collect();
                    out.push_str(&format!("[{}]", texts.join(" ")));
                }
            },
        }
    }
    Ok(out)
}

fn pipeline(p: &Pipeline, interfaces: &[IfAddr]) -> Result<Value, Failed> {
    let mut last = None;
    for c in &p.0 {
        last = Some(command(c, last, interfaces)?);
    }
    Ok(last.unwrap_or(Value::Text(String::new())))
}

fn operand(o: &Operand, interfaces: &[IfAddr]) -> Result<Value, Failed> {
    Ok(match &o.kind {
        OperandKind::Text(t) => Value::Text(t.clone()),
        OperandKind::Int(n) => Value::Int(*n),
        OperandKind::Bool(b) => Value::Bool(*b),
        OperandKind::Dot => Value::Addrs(interfaces.to_vec()),
        OperandKind::Group(p) => pipeline(p, interfaces)?,
        OperandKind::Function(_) => {
            let alone = Operand { offset: o.offset, kind: clone_function(&o.kind) };
            command(&Command { offset: o.offset, operands: vec![alone] }, None, interfaces)?
        }
    })
}

fn clone_function(kind: &OperandKind) -> OperandKind {
    match kind {
        OperandKind::Function(name) => OperandKind::Function(name.clone()),
        _ => OperandKind::Dot,
    }
}

fn command(c: &Command, piped: Option<Value>, interfaces: &[IfAddr]) -> Result<Value, Failed> {
    let fail = |what: String| Failed { offset: c.offset, at: shown(c), what };
    let Some((first, rest)) = c.operands.split_first() else { return Err(fail("empty command".to_owned())) };
    let OperandKind::Function(name) = &first.kind else {
        if !rest.is_empty() || piped.is_some() {
            return Err(fail("can't give argument to non-function".to_owned()));
        }
        return operand(first, interfaces);
    };
    let mut args = Args { values: Vec::new(), at: 0, count: 0, name };
    for o in rest {
        args.values.push((o.offset, shown_operand(o), operand(o, interfaces)?));
    }
    if let Some(v) = piped {
        args.values.push((c.offset, shown(c), v));
    }
    args.count = args.values.len();
    call(&mut args, interfaces).map_err(|e| match e {
        CallError::Argument(failed) => failed,
        CallError::Count(want) => {
            fail(format!("wrong number of args for {name}: want {want} got {}", args.count))
        }
        CallError::Refused(what) => fail(format!("error calling {name}: {what}")),
    })
}

enum CallError {
    Argument(Failed),
    Count(usize),
    Refused(String),
}

impl From<String> for CallError {
    fn from(s: String) -> Self {
        Self::Refused(s)
    }
}

struct Args<'a> {
    values: Vec<(usize, String, Value)>,
    at: usize,
    count: usize,
    name: &'a str,
}

impl Args<'_> {
    fn expect(&self, n: usize) -> Result<(), CallError> {
        if self.values.len() == n { Ok(()) } else { Err(CallError::Count(n)) }
    }
    fn next(&mut self) -> Option<&(usize, String, Value)> {
        self.at += 1;
        self.values.get(self.at - 1)
    }
    fn text(&mut self) -> Result<String, CallError> {
        match self.next() {
            Some((_, _, Value::Text(t))) => Ok(t.clone()),
            Some(other) => Err(wrong_type(other, "string")),
            None => Err(CallError::Count(self.at)),
        }
    }
    fn int(&mut self) -> Result<i64, CallError> {
        match self.next() {
            Some((_, _, Value::Int(n))) => Ok(*n),
            Some(other) => Err(wrong_type(other, "integer")),
            None => Err(CallError::Count(self.at)),
        }
    }
    fn addrs(&mut self) -> Result<Vec<IfAddr>, CallError> {
        match self.next() {
            Some((_, _, Value::Addrs(list))) => Ok(list.clone()),
            Some(other) => Err(wrong_type(other, "a list of interface addresses")),
            None => Err(CallError::Count(self.at)),
        }
    }
}

fn wrong_type((offset, at, value): &(usize, String, Value), want: &str) -> CallError {
    let found = match value {
        Value::Text(t) => crate::quote(t),
        Value::Int(n) => n.to_string(),
        Value::Bool(b) => b.to_string(),
        Value::Addrs(_) => "a list of interface addresses".to_owned(),
    };
    let what = format!("expected {want}; found {found}");
    CallError::Argument(Failed { offset: *offset, at: at.clone(), what })
}

fn call(a: &mut Args<'_>, all: &[IfAddr]) -> Result<Value, CallError> {
    let count = match a.name {
        "include" | "exclude" | "join" | "math" => 3,
        "sort" | "limit" | "offset" | "unique" | "attr" => 2,
        "GetInterfaceIP" | "GetInterfaceIPs" => 1,
        _ => 0,
    };
    a.expect(count)?;
    Ok(match a.name {
        "GetAllInterfaces" => Value::Addrs(all.to_vec()),
        "GetDefaultInterfaces" => {
            let list: Vec<IfAddr> = all.iter().filter(|i| i.default_route).cloned().collect();
            if list.is_empty() {
                return Err("No default interface found".to_owned().into());
            }
            Value::Addrs(list)
        }
        "GetPrivateInterfaces" => Value::Addrs(routable(all, true)),
        "GetPublicInterfaces" => Value::Addrs(routable(all, false)),
        "GetPrivateIP" => first(&routable(all, true)),
        "GetPrivateIPs" => every(&routable(all, true)),
        "GetPublicIP" => first(&routable(all, false)),
        "GetPublicIPs" => every(&routable(all, false)),
        "GetInterfaceIP" => {
            let pattern = a.text()?;
            let mut list = filter::select("name", &pattern, all, true)?;
            list.retain(|i| is_forwardable(i.ip));
            filter::sort(&mut list, &[Order::asc("type"), Order::asc("size")]);
            first(&list)
        }
        "GetInterfaceIPs" => {
            let pattern = a.text()?;
            let mut list = filter::select("name", &pattern, all, true)?;
            filter::sort(&mut list, &[Order::asc("type"), Order::asc("size")]);
            every(&list)
        }
        "include" | "exclude" => {
            let keep = a.name == "include";
            let (selector, param, list) = (a.text()?, a.text()?, a.addrs()?);
            Value::Addrs(filter::select(&selector, &param, &list, keep)?)
        }
        "sort" => {
            let (keys, mut list) = (a.text()?, a.addrs()?);
            filter::sort(&mut list, &Order::parse(&keys)?);
            Value::Addrs(list)
        }
        "limit" => {
            let (n, mut list) = (a.int()?, a.addrs()?);
            list.truncate(
                usize::try_from(n).map_err(|_negative| format!("unable to limit the list to {n}"))?,
            );
            Value::Addrs(list)
        }
        "offset" => {
            let (n, list) = (a.int()?, a.addrs()?);
            let n_abs = usize::try_from(n.unsigned_abs()).unwrap_or(usize::MAX);
            let from = if n < 0 { list.len().checked_sub(n_abs) } else { Some(n_abs) };
            match from.filter(|f| *f <= list.len()) {
                Some(f) => Value::Addrs(list[f..].to_vec()),
                None => {
                    return Err("unable to seek past the end of the interface array: offset too large"
                        .to_owned()
                        .into());
                }
            }
        }
        "unique" => {
            let (name, list) = (a.text()?, a.addrs()?);
            let mut seen = std::collections::BTreeSet::new();
            let mut out = Vec::new();
            for i in list {
                if seen.insert(attr::of(&i, &name)?) {
                    out.push(i);
                }
            }
            Value::Addrs(out)
        }
        "join" => {
            let (name, separator, list) = (a.text()?, a.text()?, a.addrs()?);
            let texts = list.iter().map(|i| attr::of(i, &name)).collect::<Result<Vec<_>, _>>()?;
            Value::Text(texts.join(&separator))
        }
        "attr" => {
            let (name, list) = (a.text()?, a.addrs()?);
            match list.first() {
                Some(i) => Value::Text(attr::of(i, &name)?),
                None => Value::Text(String::new()),
            }
        }
        "math" => {
            let (operation, value, list) = (a.text()?, a.text()?, a.addrs()?);
            let moved =
                list.iter().map(|i| attr::math(i, &operation, &value)).collect::<Result<Vec<_>, _>>()?;
            Value::Addrs(moved)
        }
        other => return Err(format!("function {other:?} not defined").into()),
    })
}

/// Addresses that can be reached from other hosts, the likeliest first.
fn routable(all: &[IfAddr], private: bool) -> Vec<IfAddr> {
    let mut list: Vec<IfAddr> = all
        .iter()
        .filter(|i| i.up && is_forwardable(i.ip) && super::blocks::in_rfc(6890, i.ip) == Some(private))
        .cloned()
        .collect();
    filter::sort(&mut list, &[Order::asc("default"), Order::asc("type"), Order::asc("size")]);
    list
}

fn first(list: &[IfAddr]) -> Value {
    Value::Text(list.first().map(|i| i.ip.to_string()).unwrap_or_default())
}

fn every(list: &[IfAddr]) -> Value {
    let texts: Vec<String> = list.iter().map(|i| i.ip.to_string()).collect();
    Value::Text(texts.join(" "))
}

/// A command as it is shown in messages.
fn shown(c: &Command) -> String {
    let parts: Vec<String> = c.operands.iter().map(shown_operand).collect();
    parts.join(" ")
}

fn shown_operand(o: &Operand) -> String {
    match &o.kind {
        OperandKind::Function(n) => n.clone(),
        OperandKind::Text(t) => crate::quote(t),
        OperandKind::Int(n) => n.to_string(),
        OperandKind::Bool(b) => b.to_string(),
        OperandKind::Dot => ".".to_owned(),
        OperandKind::Group(p) => {
            let parts: Vec<String> = p.0.iter().map(shown).collect();
            format!("({})", parts.join(" | "))
        }
    }
}
