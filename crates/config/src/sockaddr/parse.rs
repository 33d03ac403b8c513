//! Templates as text and pipelines.

/// Text or a pipeline.
pub(super) enum Piece {
    Text(String),
    Pipeline(Pipeline),
}

/// Commands whose results feed the next one's last argument.
pub(super) struct Pipeline(pub(super) Vec<Command>);

/// A function with arguments, or a value alone.
pub(super) struct Command {
    pub(super) offset: usize,
    pub(super) operands: Vec<Operand>,
}

pub(super) struct Operand {
    pub(super) offset: usize,
    pub(super) kind: OperandKind,
}

pub(super) enum OperandKind {
    Function(String),
    Text(String),
    Int(i64),
    Bool(bool),
    /// `.`: every interface address.
    Dot,
    Group(Pipeline),
}

/// Line and message.
type Wrong = (usize, String);

const DEPTH_MAX: usize = 32;

/// Names that may be called.
pub(super) const FUNCTIONS: &[&str] = &[
    "GetAllInterfaces",
    "GetDefaultInterfaces",
    "GetInterfaceIP",
    "GetInterfaceIPs",
    "GetPrivateIP",
    "GetPrivateIPs",
    "GetPrivateInterfaces",
    "GetPublicIP",
    "GetPublicIPs",
    "GetPublicInterfaces",
    "attr",
    "exclude",
    "include",
    "join",
    "limit",
    "math",
    "offset",
    "sort",
    "unique",
];

pub(super) fn parse(text: &str) -> Result<Vec<Piece>, Wrong> {
    let mut p = Parser { text, at: 0 };
    let mut out = Vec::new();
    let mut trim_left = false;
    loop {
        let rest = &text[p.at..];
        let open = rest.find("{{");
        let mut literal = &rest[..open.unwrap_or(rest.len())];
        if trim_left {
            literal = literal.trim_start();
        }
        let Some(open) = open else {
            out.push(Piece::Text(literal.to_owned()));
            return Ok(out);
        };
        p.at += open + 2;
        if is_trim_marker(&text[p.at..]) {
            p.at += 1;
            literal = literal.trim_end();
        }
        out.push(Piece::Text(literal.to_owned()));
        p.skip_blank();
        if text[p.at..].starts_with("/*") {
            let Some(end) = text[p.at..].find("*/") else { return Err(p.wrong("unclosed comment")) };
            p.at += end + 2;
        } else {
            out.push(Piece::Pipeline(p.pipeline(0)?));
        }
        p.skip_blank();
        trim_left = text[p.at..].starts_with("-}}");
        if trim_left {
            p.at += 1;
        }
        if !text[p.at..].starts_with("}}") {
            return Err(p.unexpected("command"));
        }
        p.at += 2;
    }
}

/// `{{- ` with a blank after the dash.
fn is_trim_marker(rest: &str) -> bool {
    rest.strip_prefix('-').is_some_and(|r| r.starts_with(char::is_whitespace))
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl Parser<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }
    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }
    fn skip_blank(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }
    fn wrong(&self, what: impl Into<String>) -> Wrong {
        (self.text[..self.at].matches('\n').count() + 1, what.into())
    }
    fn unexpected(&self, place: &str) -> Wrong {
        match self.peek() {
            None => self.wrong("unclosed action"),
            Some(c) => self.wrong(format!("unexpected {:?} in {place}", c.to_string())),
        }
    }
    /// Whether the action or the group ends here.
    fn at_end(&self) -> bool {
        let rest = self.rest();
        rest.starts_with("}}") || rest.starts_with("-}}") || rest.starts_with(')')
    }

    fn pipeline(&mut self, depth: usize) -> Result<Pipeline, Wrong> {
        if depth > DEPTH_MAX {
            return Err(self.wrong("nested too deeply"));
        }
        let mut commands = Vec::new();
        loop {
            commands.push(self.command(depth)?);
            self.skip_blank();
            if self.at_end() {
                return Ok(Pipeline(commands));
            }
            if self.peek() != Some('|') {
                return Err(self.unexpected("operand"));
            }
            self.at += 1;
        }
    }

    fn command(&mut self, depth: usize) -> Result<Command, Wrong> {
        self.skip_blank();
        let offset = self.at;
        let mut operands = Vec::new();
        loop {
            self.skip_blank();
            if self.at_end() || self.peek() == Some('|') {
                if operands.is_empty() {
                    return Err(self.wrong("missing value for command"));
                }
                return Ok(Command { offset, operands });
            }
            operands.push(self.operand(depth)?);
        }
    }

    fn operand(&mut self, depth: usize) -> Result<Operand, Wrong> {
        let offset = self.at;
        let kind = match self.peek() {
            Some('"') => OperandKind::Text(self.quoted()?),
            Some('`') => {
                let body = &self.rest()[1..];
                let Some(end) = body.find('`') else {
                    return Err(self.wrong("unterminated raw quoted string"));
                };
                let text = body[..end].to_owned();
                self.at += end + 2;
                OperandKind::Text(text)
            }
            Some('(') => {
                self.at += 1;
                let inner = self.pipeline(depth + 1)?;
                self.skip_blank();
                if self.peek() != Some(')') {
                    return Err(self.wrong("unclosed left paren"));
                }
                self.at += 1;
                OperandKind::Group(inner)
            }
            Some('.') => {
                self.at += 1;
                OperandKind::Dot
            }
            Some(c) if c.is_ascii_digit() || c == '-' || c == '+' => {
                let rest = self.rest();
                let len = rest
                    .char_indices()
                    .find(|(i, c)| !(c.is_ascii_alphanumeric() || (*i == 0 && matches!(c, '-' | '+'))))
                    .map_or(rest.len(), |(i, _)| i);
                let word = rest[..len].to_owned();
                let n =
                    word.parse().map_err(|_not_whole| self.wrong(format!("bad number syntax: {word:?}")))?;
                self.at += len;
                OperandKind::Int(n)
            }
            Some(c) if c == '_' || c.is_alphabetic() => {
                let rest = self.rest();
                let len = rest.find(|c: char| c != '_' && !c.is_alphanumeric()).unwrap_or(rest.len());
                let word = rest[..len].to_owned();
                let kind = match word.as_str() {
                    "true" => OperandKind::Bool(true),
                    "false" => OperandKind::Bool(false),
                    name if FUNCTIONS.contains(&name) => OperandKind::Function(word),
                    name => return Err(self.wrong(format!("function {name:?} not defined"))),
                };
                self.at += len;
                kind
            }
            _ => return Err(self.unexpected("operand")),
        };
        Ok(Operand { offset, kind })
    }

    fn quoted(&mut self) -> Result<String, Wrong> {
        let mut out = String::new();
        let mut chars = self.rest().char_indices().skip(1);
        while let Some((i, c)) = chars.next() {
            match c {
                '"' => {
                    self.at += i + 1;
                    return Ok(out);
                }
                '\n' => break,
                '\\' => match chars.next().map(|(_, c)| c) {
                    Some('n') => out.push('\n'),
                    Some('t') => out.push('\t'),
                    // A backslash before a regular-expression letter is kept only if it is doubled.
                    Some(c @ ('"' | '\\' | '\'')) => out.push(c),
                    _ => return Err(self.wrong("invalid syntax in string")),
                },
                c => out.push(c),
            }
        }
        Err(self.wrong("unterminated quoted string"))
    }
}
