//! Templates: texts with `${…}` in them, made into a query by the name that was asked for.
//!
//! `$${` stands for `${`. Within the braces: a variable, `match(N)`, a number, or a text in quotes.

use regex::{Regex, RegexBuilder};
use std::{cell::Cell, collections::BTreeMap};
use types::{
    Str,
    prepared::{NAME_PREFIX_MATCH, PreparedQuery},
};

/// Largest compiled expression, bytes: it lies in the state of every server.
const REGEXP_BYTES_MAX: usize = 1 << 20;

/// Most bytes that all texts of one template may become.
const MADE_BYTES_MAX: usize = 1 << 18;

/// Characters of a text that an error repeats.
const SHOWN_MAX: usize = 200;

/// A compiled expression of a template; equal when the text is.
#[derive(Clone, Debug)]
pub(super) struct Expression(Regex);

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

/// What variables stand for.
struct Values<'a> {
    full: &'a str,
    prefix: &'a str,
    suffix: &'a str,
    segment: &'a str,
    /// Groups of the expression, the whole match first; empty where it does not match.
    groups: Vec<&'a str>,
    /// How many bytes may still be made of them.
    left: Cell<usize>,
}

/// What is wrong with a template, in words; a query that is none is fine.
///
/// # Errors
/// The text.
pub(super) fn check(query: &PreparedQuery) -> Result<(), String> {
    if query.template.kind.is_empty() {
        return Ok(());
    }
    let expression = compile(query)?;
    render(query, expression.as_ref(), &query.name, "").map(drop)
}

/// The expression of a template, if it has one.
///
/// # Errors
/// Why it is none.
pub(super) fn compile(query: &PreparedQuery) -> Result<Option<Expression>, String> {
    if !query.is_template() || query.template.regexp.is_empty() {
        return Ok(None);
    }
    let compiled = RegexBuilder::new(&query.template.regexp).size_limit(REGEXP_BYTES_MAX).build();
    compiled.map(|re| Some(Expression(re))).map_err(|e| format!("Bad Regexp: {e}"))
}

/// The query that a template makes for `name`.
///
/// # Errors
/// What is wrong with the template.
pub(super) fn render(
    template: &PreparedQuery,
    expression: Option<&Expression>,
    name: &str,
    segment: &str,
) -> Result<PreparedQuery, String> {
    if template.template.kind != NAME_PREFIX_MATCH {
        return Err(format!("Bad Template.Type '{}'", template.template.kind));
    }
    let found = expression.and_then(|re| re.0.captures(name));
    let groups = found.iter().flat_map(|c| c.iter().map(|g| g.map_or("", |g| g.as_str()))).collect();
    // The prefix fits but for letter case; its length may differ where case changes it.
    let suffix = name.get(template.name.len()..).unwrap_or("");
    let left = Cell::new(MADE_BYTES_MAX);
    let values = Values { full: name, prefix: &template.name, suffix, segment, groups, left };
    let fill = |field: &dyn Fn() -> String, text: &mut Str| -> Result<(), String> {
        if text.contains('$') {
            *text = Str::from(filled(text, &values).map_err(|e| e.within(&field()))?);
        }
        Ok(())
    };
    let mut query = template.clone();
    let s = &mut query.service;
    for (field, text) in [
        ("Service", &mut s.service),
        ("SamenessGroup", &mut s.sameness_group),
        ("Near", &mut s.near),
        ("Peer", &mut s.peer),
    ] {
        fill(&|| format!("Service.{field}"), text)?;
    }
    for (field, list) in [
        ("Failover.Datacenters", &mut s.failover.datacenters),
        ("IgnoreCheckIDs", &mut s.ignore_check_ids),
        ("Tags", &mut s.tags),
    ] {
        for (i, text) in list.iter_mut().flatten().enumerate() {
            fill(&|| format!("Service.{field}[{i}]"), text)?;
        }
    }
    for (i, target) in s.failover.targets.iter_mut().flatten().enumerate() {
        fill(&|| format!("Service.Failover.Targets[{i}].Peer"), &mut target.peer)?;
        fill(&|| format!("Service.Failover.Targets[{i}].Datacenter"), &mut target.datacenter)?;
    }
    for (field, map) in [("NodeMeta", &mut s.node_meta), ("ServiceMeta", &mut s.service_meta)] {
        let map: Option<&mut BTreeMap<Str, Str>> = map.as_mut();
        for (key, text) in map.into_iter().flatten() {
            fill(&|| format!("Service.{field}[{key}]"), text)?;
        }
    }
    if query.template.remove_empty_tags
        && let Some(tags) = &mut s.tags
    {
        tags.retain(|t| !t.is_empty());
    }
    Ok(query)
}

/// What is wrong with one text.
struct Fault {
    text: String,
    /// Byte at which it is, from 1.
    column: usize,
    what: String,
    /// It reads well, but means nothing.
    meaning: bool,
}

impl Fault {
    fn within(self, field: &str) -> String {
        let Self { mut text, column, what, meaning } = self;
        if let Some((end, _)) = text.char_indices().nth(SHOWN_MAX) {
            text.truncate(end);
            text.push('…');
        }
        let kind = if meaning { "evaluation for" } else { "format" };
        format!("Bad {kind} '{text}' in {field}: 1:{column}: {what}")
    }
}

/// `text` with every `${…}` replaced.
fn filled(text: &str, values: &Values<'_>) -> Result<String, Fault> {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(found) = text[at..].find("${") {
        let open = at + found;
        if text[at..open].ends_with('$') {
            out.push_str(&text[at..open]);
            out.push('{');
            at = open + 2;
            continue;
        }
        out.push_str(&text[at..open]);
        let fault = |offset: usize, what: String, meaning: bool| Fault {
            text: text.to_owned(),
            column: open + 3 + offset,
            what,
            meaning,
        };
        let rest = &text[open + 2..];
        let close =
            closing(rest).ok_or_else(|| fault(0, "expected \"}\" after the expression".to_owned(), false))?;
        let inner = &rest[..close];
        let offset = inner.len() - inner.trim_start().len();
        let value = evaluate(inner.trim(), values).map_err(|(what, meaning)| fault(offset, what, meaning))?;
        let left = values.left.get().checked_sub(value.len());
        let too_long = || fault(offset, format!("more than {MADE_BYTES_MAX} bytes would be made"), true);
        values.left.set(left.ok_or_else(too_long)?);
        out.push_str(value);
        at = open + 2 + close + 1;
    }
    out.push_str(&text[at..]);
    Ok(out)
}

/// Where the brace is that ends an expression; braces in quotes do not count.
fn closing(rest: &str) -> Option<usize> {
    let mut quoted = false;
    rest.bytes().position(|b| {
        quoted ^= b == b'"';
        b == b'}' && !quoted
    })
}

fn evaluate<'a>(expression: &'a str, values: &Values<'a>) -> Result<&'a str, (String, bool)> {
    let is_name = |s: &str| {
        s.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
            && s.as_bytes().first().is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_')
    };
    if let Some(inner) = expression.strip_prefix('"').and_then(|s| s.strip_suffix('"')) {
        return Ok(inner);
    }
    if !expression.is_empty() && expression.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(expression);
    }
    if let Some((function, arguments)) = expression.strip_suffix(')').and_then(|s| s.split_once('(')) {
        let function = function.trim_end();
        if !is_name(function) {
            return Err((format!("expected an expression, got {expression:?}"), false));
        }
        if function != "match" {
            return Err((format!("unknown function called: {function}"), true));
        }
        let number = arguments.trim();
        let digits = number.strip_prefix('-').unwrap_or(number);
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err((format!("match needs one number, got {number:?}"), true));
        }
        let group = number.parse::<usize>().ok().and_then(|n| values.groups.get(n));
        return Ok(group.copied().unwrap_or(""));
    }
    let value = match expression {
        "name.full" => values.full,
        "name.prefix" => values.prefix,
        "name.suffix" => values.suffix,
        "agent.segment" => values.segment,
        name if is_name(name) => return Err((format!("unknown variable accessed: {name}"), true)),
        other => return Err((format!("expected an expression, got {other:?}"), false)),
    };
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::prepared::{QueryService, QueryTemplate};

    fn template(service: &str, regexp: &str) -> PreparedQuery {
        PreparedQuery {
            name: "geo-".into(),
            template: QueryTemplate {
                kind: NAME_PREFIX_MATCH.into(),
                regexp: regexp.into(),
                remove_empty_tags: true,
            },
            service: QueryService {
                service: service.into(),
                tags: Some(vec!["${match(2)}".into(), "fixed".into()]),
                ..QueryService::default()
            },
            ..PreparedQuery::default()
        }
    }

    fn made(service: &str, regexp: &str, name: &str) -> Result<String, String> {
        let template = template(service, regexp);
        render(&template, compile(&template)?.as_ref(), name, "seg")
            .map(|q| format!("{} {}", q.service.service, q.service.tags.unwrap_or_default().join(",")))
    }

    #[test]
    fn variables_and_groups_are_filled_in() {
        assert_eq!(made("${name.suffix}", "", "GEO-db").unwrap(), "db fixed");
        assert_eq!(made("${name.full}.${name.prefix}x", "", "geo-db").unwrap(), "geo-db.geo-x fixed");
        let regexp = "^geo-(.+?)-(.+)$";
        assert_eq!(made("${match(1)}", regexp, "geo-db-master").unwrap(), "db master,fixed");
        assert_eq!(
            made("a${match(0)}${match(9)}${match(-1)}", regexp, "geo-db-m").unwrap(),
            "ageo-db-m m,fixed"
        );
        assert_eq!(made("${match(1)}", regexp, "geo-x").unwrap(), " fixed", "no match, no groups");
        assert_eq!(made("${ agent.segment }$${x}${\"}\"}$", "", "geo-").unwrap(), "seg${x}}$ fixed");
    }

    /// It is looked at while an entry of the log is applied: what is too large must not take the server with it.
    #[test]
    fn what_a_template_makes_is_bounded() {
        let mut long = template(&"${name.full}".repeat(1000), "");
        long.name = "x".repeat(300).into();
        let why = check(&long).unwrap_err();
        assert!(why.ends_with("more than 262144 bytes would be made") && why.len() < 400, "{why}");
        // In all texts together.
        let mut many = template("${name.full}", "");
        many.name = "x".repeat(1000).into();
        many.service.tags = Some(vec!["${name.full}".into(); 300]);
        assert!(check(&many).unwrap_err().contains("in Service.Tags[261]: "));
        many.service.tags = Some(vec!["${name.full}".into(); 200]);
        assert_eq!(check(&many), Ok(()));
    }

    #[test]
    fn bad_templates_say_what_and_where() {
        let why = |service: &str, regexp: &str| check(&template(service, regexp)).unwrap_err();
        assert_eq!(
            why("${bogus}", ""),
            "Bad evaluation for '${bogus}' in Service.Service: 1:3: unknown variable accessed: bogus"
        );
        assert!(why("a ${nope(1)}", "").ends_with("in Service.Service: 1:5: unknown function called: nope"));
        assert!(why("${name.full", "").starts_with("Bad format '${name.full' in Service.Service: 1:3: "));
        assert!(why("${}", "").starts_with("Bad format"));
        assert!(why("${match(x)}", "").starts_with("Bad evaluation"));
        assert!(why("x", "(").starts_with("Bad Regexp: "));
        assert!(why("x", "(?:a{1000}){1000}").starts_with("Bad Regexp: "));
        let mut other = template("x", "");
        other.template.kind = "bogus".into();
        assert_eq!(check(&other).unwrap_err(), "Bad Template.Type 'bogus'");
        let mut tag = template("x", "");
        tag.service.tags = Some(vec!["ok".into(), "${z}".into()]);
        assert!(check(&tag).unwrap_err().contains("in Service.Tags[1]: "));
        assert!(
            check(&PreparedQuery { service: template("${", "").service, ..PreparedQuery::default() }).is_ok()
        );
    }
}
