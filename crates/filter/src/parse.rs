//! The grammar.
//!
//! Keywords are lower-case; `not` binds tightest, then `and`, then `or`. Only `==` and `!=` need no blanks around them.

use crate::{EXPRESSION_BYTES_MAX, FilterError, NESTING_MAX};

/// A parsed expression.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Expression {
    Not(Box<Self>),
    And(Vec<Self>),
    Or(Vec<Self>),
    Match { path: Vec<String>, operator: Operator, negated: bool, value: String },
}

/// What is asked of a field; `!=` and the forms with `not` are negated ones.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Operator {
    Equal,
    Empty,
    In,
    Matches,
}

impl Operator {
    pub fn text(self, negated: bool) -> &'static str {
        match (self, negated) {
            (Self::Equal, false) => "==",
            (Self::Equal, true) => "!=",
            (Self::Empty, false) => "is empty",
            (Self::Empty, true) => "is not empty",
            (Self::In, false) => "in",
            (Self::In, true) => "not in",
            (Self::Matches, false) => "matches",
            (Self::Matches, true) => "not matches",
        }
    }
}

/// Parses a whole expression.
pub(crate) fn parse(text: &str) -> Result<Expression, FilterError> {
    if text.len() > EXPRESSION_BYTES_MAX {
        return Err(FilterError::TooLong);
    }
    let mut p = Parser { text, at: 0, depth: 0 };
    p.blanks();
    let expression = p.or()?;
    p.blanks();
    if p.at < text.len() {
        return Err(p.error("expected \"and\", \"or\" or the end of the expression"));
    }
    Ok(expression)
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl Parser<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }
    fn error(&self, expected: &'static str) -> FilterError {
        FilterError::Syntax { column: self.at + 1, expected }
    }
    /// Skips blanks; whether there were any.
    fn blanks(&mut self) -> bool {
        let n = self.rest().bytes().take_while(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n')).count();
        self.at += n;
        n > 0
    }
    fn eat(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }
    /// Runs `f`; stands where it stood before if that gives nothing.
    fn attempt<T>(&mut self, f: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let at = self.at;
        let found = f(self);
        if found.is_none() {
            self.at = at;
        }
        found
    }
    /// Words with blanks before and between them.
    fn words(&mut self, words: &[&str]) -> bool {
        self.attempt(|p| words.iter().all(|w| p.blanks() && p.eat(w)).then_some(())).is_some()
    }
    /// As [`Parser::words`], with blanks behind them too.
    fn spaced(&mut self, words: &[&str]) -> bool {
        self.attempt(|p| (p.words(words) && p.blanks()).then_some(())).is_some()
    }

    fn or(&mut self) -> Result<Expression, FilterError> {
        let mut parts = vec![self.and()?];
        while self.spaced(&["or"]) {
            parts.push(self.and()?);
        }
        Ok(one_or(parts, Expression::Or))
    }

    fn and(&mut self) -> Result<Expression, FilterError> {
        let mut parts = vec![self.not()?];
        while self.spaced(&["and"]) {
            parts.push(self.not()?);
        }
        Ok(one_or(parts, Expression::And))
    }

    fn not(&mut self) -> Result<Expression, FilterError> {
        self.depth += 1;
        if self.depth > NESTING_MAX {
            return Err(FilterError::TooDeep);
        }
        let start = self.at;
        let negation = self.attempt(|p| (p.eat("not") && p.blanks()).then_some(()));
        let parsed = if negation.is_some() {
            match self.not() {
                Ok(inner) => Ok(Expression::Not(Box::new(inner))),
                Err(FilterError::TooDeep) => Err(FilterError::TooDeep),
                // `not in Tags`: the value may be the word itself.
                Err(e) => {
                    self.at = start;
                    self.comparison().ok_or(e)
                }
            }
        } else {
            self.grouping()
        };
        self.depth -= 1;
        parsed
    }

    fn grouping(&mut self) -> Result<Expression, FilterError> {
        if self.eat("(") {
            self.blanks();
            let inner = self.or()?;
            self.blanks();
            return if self.eat(")") { Ok(inner) } else { Err(self.error("expected \")\"")) };
        }
        self.comparison().ok_or_else(|| self.error("expected a comparison such as: Name == value"))
    }

    fn comparison(&mut self) -> Option<Expression> {
        let forms = [Self::selector_first, Self::value_first];
        forms.iter().find_map(|form| self.attempt(form))
    }

    fn selector_first(&mut self) -> Option<Expression> {
        let path = self.selector()?;
        let (operator, negated) = self.operator()?;
        let value = if operator == Operator::Empty { String::new() } else { self.value()? };
        Some(Expression::Match { path, operator, negated, value })
    }

    fn operator(&mut self) -> Option<(Operator, bool)> {
        for (sign, negated) in [("==", false), ("!=", true)] {
            let found = self.attempt(|p| {
                p.blanks();
                p.eat(sign).then_some(())
            });
            if found.is_some() {
                self.blanks();
                return Some((Operator::Equal, negated));
            }
        }
        for (words, negated) in [(&["is", "empty"][..], false), (&["is", "not", "empty"], true)] {
            if self.words(words) {
                return Some((Operator::Empty, negated));
            }
        }
        let worded = [
            (&["contains"][..], Operator::In, false),
            (&["not", "contains"], Operator::In, true),
            (&["matches"], Operator::Matches, false),
            (&["not", "matches"], Operator::Matches, true),
        ];
        worded
            .iter()
            .find(|(words, ..)| self.spaced(words))
            .map(|(_, operator, negated)| (*operator, *negated))
    }

    fn value_first(&mut self) -> Option<Expression> {
        let value = self.value()?;
        let negated = if self.spaced(&["in"]) {
            false
        } else if self.spaced(&["not", "in"]) {
            true
        } else {
            return None;
        };
        let path = self.selector()?;
        Some(Expression::Match { path, operator: Operator::In, negated, value })
    }

    fn identifier(&mut self) -> Option<String> {
        let rest = self.rest();
        if !rest.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return None;
        }
        let n = rest.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
        let name = rest[..n].to_owned();
        self.at += n;
        Some(name)
    }

    fn selector(&mut self) -> Option<Vec<String>> {
        let mut path = vec![self.identifier()?];
        loop {
            let next = self.attempt(|p| {
                if p.eat(".") {
                    return p.identifier();
                }
                if !p.eat("[") {
                    return None;
                }
                p.blanks();
                let key = p.string()?;
                p.blanks();
                p.eat("]").then_some(key)
            });
            match next {
                Some(name) => path.push(name),
                None => return Some(path),
            }
        }
    }

    fn value(&mut self) -> Option<String> {
        self.attempt(|p| {
            let start = p.at;
            p.selector().map(|_| p.text[start..p.at].to_owned())
        })
        .or_else(|| self.attempt(Self::number))
        .or_else(|| self.attempt(Self::string))
    }

    fn number(&mut self) -> Option<String> {
        let start = self.at;
        self.eat("-");
        let digits = |p: &mut Self| {
            let n = p.rest().bytes().take_while(u8::is_ascii_digit).count();
            p.at += n;
            n
        };
        let zero = self.rest().starts_with('0');
        if zero {
            self.at += 1;
        } else if digits(self) == 0 {
            return None;
        }
        self.attempt(|p| (p.eat(".") && digits(p) > 0).then_some(()));
        let ends = self.rest().is_empty() || self.rest().starts_with([' ', '\t', '\r', '\n', ')']);
        ends.then(|| self.text[start..self.at].to_owned())
    }

    fn string(&mut self) -> Option<String> {
        let quote = self.rest().chars().next().filter(|c| matches!(c, '"' | '`'))?;
        let body = &self.rest()[1..];
        let n = body.find(quote)?;
        let raw = &body[..n];
        let text = if quote == '`' { raw.to_owned() } else { unescape(raw)? };
        self.at += n + 2;
        Some(text)
    }
}

fn one_or(mut parts: Vec<Expression>, many: fn(Vec<Expression>) -> Expression) -> Expression {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        Some(last) => {
            parts.push(last);
            many(parts)
        }
        None => many(parts),
    }
}

/// Backslash escapes of a double-quoted string.
fn unescape(raw: &str) -> Option<String> {
    let mut out = Vec::with_capacity(raw.len());
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        if c == '\n' {
            return None;
        }
        if c != '\\' {
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        let byte = match chars.next()? {
            'a' => 7,
            'b' => 8,
            't' => b'\t',
            'n' => b'\n',
            'v' => 11,
            'f' => 12,
            'r' => b'\r',
            '\\' => b'\\',
            'x' => u8::try_from(digits(&mut chars, 2, 16)?).ok()?,
            'u' => {
                out.extend_from_slice(char::from_u32(digits(&mut chars, 4, 16)?)?.to_string().as_bytes());
                continue;
            }
            'U' => {
                out.extend_from_slice(char::from_u32(digits(&mut chars, 8, 16)?)?.to_string().as_bytes());
                continue;
            }
            first @ '0'..='7' => {
                let high = first.to_digit(8)? * 64;
                u8::try_from(high + digits(&mut chars, 2, 8)?).ok()?
            }
            _ => return None,
        };
        out.push(byte);
    }
    String::from_utf8(out).ok()
}

fn digits(chars: &mut std::str::Chars<'_>, n: usize, radix: u32) -> Option<u32> {
    (0..n).try_fold(0u32, |sum, _| {
        let digit = chars.next()?.to_digit(radix)?;
        sum.checked_mul(radix)?.checked_add(digit)
    })
}
