//! HCL version 1: `key = value`, `block { }`, `block "label" { }`, heredocs, comments.
//!
//! Every object under a key becomes a list of one; a key that is repeated with objects makes one longer list, a
//! repeated key with anything else replaces the earlier value.

mod cursor;
mod literal;

use super::{DEPTH_MAX, Data, Member, Node, SyntaxError};
use cursor::Cursor;
use std::collections::HashMap;

/// Reads a text in HCL version 1.
///
/// # Errors
/// The first [`SyntaxError`].
pub fn read(text: &str) -> Result<Node, SyntaxError> {
    let mut c = Cursor::new(text);
    let data = body(&mut c, true, 0)?;
    Ok(Node { line: 1, data })
}

/// Keys and values up to the end of the text or of the block.
fn body(c: &mut Cursor<'_>, top: bool, depth: usize) -> Result<Data, SyntaxError> {
    if depth > DEPTH_MAX {
        return Err(c.error("nested too deeply"));
    }
    let mut object = ObjectBuilder::default();
    loop {
        c.skip_blank()?;
        match c.peek() {
            None if top => return Ok(object.done()),
            None => return Err(c.error("object expected closing RBRACE got: EOF")),
            Some('}') if !top => {
                c.bump();
                return Ok(object.done());
            }
            Some(_) => {}
        }
        let Some(member) = item(c, top, depth)? else { return Ok(object.done()) };
        object.add(member);
        c.skip_blank()?;
        if c.peek() == Some(',') {
            c.bump();
        }
    }
}

/// One `key = value` or `key "label" { … }`; `None` for an assignment without value at the end of the text.
fn item(c: &mut Cursor<'_>, top: bool, depth: usize) -> Result<Option<Member>, SyntaxError> {
    let mut keys: Vec<(String, u32)> = Vec::new();
    loop {
        c.skip_blank()?;
        let line = c.line();
        match c.peek() {
            Some('=') if keys.len() == 1 => {
                c.bump();
                c.skip_blank()?;
                if c.peek().is_none() && top {
                    return Ok(None);
                }
                let value = value(c, depth)?;
                return Ok(nest(keys, value));
            }
            Some('=') if keys.len() > 1 => {
                return Err(c.error("nested object expected: LBRACE got: ASSIGN"));
            }
            Some('{') if !keys.is_empty() => {
                let value = value(c, depth)?;
                return Ok(nest(keys, value));
            }
            Some('"') => keys.push((literal::quoted(c)?, line)),
            Some(ch) if literal::starts_word(ch) => keys.push((literal::word(c), line)),
            Some(_) | None if keys.is_empty() => return Err(c.unexpected("a key")),
            Some(_) | None => {
                let last = keys.last().map_or("", |(k, _)| k.as_str());
                return Err(c.unexpected(&format!("\"=\" or \"{{\" after the key {last:?}")));
            }
        }
        // Each further key is a level of nesting.
        if keys.len() > DEPTH_MAX {
            return Err(c.error("nested too deeply"));
        }
    }
}

/// Labels become keys of nested blocks, innermost last.
fn nest(keys: Vec<(String, u32)>, value: Node) -> Option<Member> {
    let mut keys = keys.into_iter().rev();
    let (key, line) = keys.next()?;
    let mut member = Member { key, line, value: wrap(value) };
    for (key, line) in keys {
        let inner = Node { line: member.line, data: Data::Object(vec![member]) };
        member = Member { key, line, value: wrap(inner) };
    }
    Some(member)
}

fn wrap(value: Node) -> Node {
    if matches!(value.data, Data::Object(_)) {
        Node { line: value.line, data: Data::List(vec![value]) }
    } else {
        value
    }
}

fn value(c: &mut Cursor<'_>, depth: usize) -> Result<Node, SyntaxError> {
    let line = c.line();
    let data = match c.peek() {
        Some('"') => Data::Text(literal::quoted(c)?),
        Some('<') => Data::Text(literal::heredoc(c)?),
        Some('[') => {
            c.bump();
            list(c, depth + 1)?
        }
        Some('{') => {
            c.bump();
            body(c, false, depth + 1)?
        }
        Some(ch) if ch == '-' || ch.is_ascii_digit() => literal::number(c)?,
        Some(ch) if literal::starts_word(ch) => {
            let at = c.mark();
            match literal::word(c).as_str() {
                "true" => Data::Bool(true),
                "false" => Data::Bool(false),
                other => {
                    return Err(
                        c.error_at(at, &format!("Unknown token: IDENT {other}; a text needs double quotes"))
                    );
                }
            }
        }
        _ => return Err(c.unexpected("a value")),
    };
    Ok(Node { line, data })
}

fn list(c: &mut Cursor<'_>, depth: usize) -> Result<Data, SyntaxError> {
    if depth > DEPTH_MAX {
        return Err(c.error("nested too deeply"));
    }
    let mut items = Vec::new();
    loop {
        c.skip_blank()?;
        if c.peek() == Some(']') {
            c.bump();
            return Ok(Data::List(items));
        }
        items.push(value(c, depth)?);
        c.skip_blank()?;
        match c.peek() {
            Some(',') => c.bump(),
            Some(']') => {}
            _ => return Err(c.unexpected("list comma or list end")),
        }
    }
}

/// Collects keys, joining repeated blocks.
#[derive(Default)]
struct ObjectBuilder {
    members: Vec<Member>,
    index: HashMap<String, usize>,
}

impl ObjectBuilder {
    fn add(&mut self, new: Member) {
        let Some(&at) = self.index.get(&new.key) else {
            self.index.insert(new.key.clone(), self.members.len());
            self.members.push(new);
            return;
        };
        let old = &mut self.members[at];
        match (&mut old.value.data, new.value.data) {
            (Data::List(a), Data::List(b)) if are_objects(a) && are_objects(&b) => a.extend(b),
            (_, data) => {
                old.line = new.line;
                old.value = Node { line: new.value.line, data };
            }
        }
    }
    fn done(self) -> Data {
        Data::Object(self.members)
    }
}

fn are_objects(list: &[Node]) -> bool {
    !list.is_empty() && list.iter().all(|n| matches!(n.data, Data::Object(_)))
}
