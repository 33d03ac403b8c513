//! Checking an expression against a record type, and evaluating it.

use crate::{
    FilterError,
    parse::{Expression, Operator},
    schema::{Record, Schema, Selectable, Type, View},
    test::Test,
};
use types::{Str, record::ServiceAddress};

/// A compiled expression.
#[derive(Debug)]
pub(crate) enum Condition {
    Not(Box<Self>),
    And(Vec<Self>),
    Or(Vec<Self>),
    Match { path: Vec<Step>, test: Test, negated: bool },
}

/// One step from a record to a field.
#[derive(Debug)]
pub(crate) enum Step {
    /// To a field, by place.
    Field(usize),
    /// To the value of a map's key.
    Key(Str),
}

impl Condition {
    pub fn compile(expression: &Expression, schema: &'static Schema) -> Result<Self, FilterError> {
        let all = |list: &[Expression]| -> Result<Vec<Self>, FilterError> {
            list.iter().map(|e| Self::compile(e, schema)).collect()
        };
        Ok(match expression {
            Expression::Not(inner) => Self::Not(Box::new(Self::compile(inner, schema)?)),
            Expression::And(list) => Self::And(all(list)?),
            Expression::Or(list) => Self::Or(all(list)?),
            Expression::Match { path, operator, negated, value } => {
                let (steps, field) = resolve(path, schema)?;
                let test = Test::new(*operator, field, value, *negated, path)?;
                Self::Match { path: steps, test, negated: *negated }
            }
        })
    }

    pub fn holds(&self, record: &dyn Record) -> bool {
        match self {
            Self::Not(inner) => !inner.holds(record),
            Self::And(list) => list.iter().all(|c| c.holds(record)),
            Self::Or(list) => list.iter().any(|c| c.holds(record)),
            Self::Match { path, test, negated } => walk(View::Struct(record), path, test, *negated),
        }
    }
}

fn resolve(path: &[String], schema: &'static Schema) -> Result<(Vec<Step>, Type), FilterError> {
    let mut steps = Vec::with_capacity(path.len());
    let mut at = Type::Struct(|| &[]);
    for (i, name) in path.iter().enumerate() {
        let fields = match at {
            _ if i == 0 => schema,
            Type::Struct(fields) | Type::Structs(fields) => fields(),
            Type::Map => {
                steps.push(Step::Key(Str::new(name)));
                at = Type::Text;
                continue;
            }
            Type::AddressMap => {
                steps.push(Step::Key(Str::new(name)));
                at = Type::Struct(ServiceAddress::schema);
                continue;
            }
            Type::Text | Type::Address | Type::Integer | Type::Boolean | Type::List => &[],
        };
        let place = fields.iter().position(|(field, _)| field == name);
        let place = place.ok_or_else(|| FilterError::Selector(path.join(".")))?;
        steps.push(Step::Field(place));
        at = fields[place].1;
    }
    Ok((steps, at))
}

fn walk(view: View<'_>, path: &[Step], test: &Test, negated: bool) -> bool {
    let Some((step, rest)) = path.split_first() else {
        return match view {
            View::Address(ip) => test.holds(&View::Text(&ip.to_string())),
            other => test.holds(&other),
        } != negated;
    };
    match (view, step) {
        (View::Struct(record), Step::Field(place)) => walk(record.field(*place), rest, test, negated),
        // Any element will do, for negated operators too.
        (View::Structs(list), _) => list.any(&mut |record| walk(View::Struct(record), path, test, negated)),
        (View::Map(map), Step::Key(key)) => match map.and_then(|m| m.get(key)) {
            Some(value) => walk(View::Text(value), rest, test, negated),
            None => test.holds_for_missing(negated),
        },
        (View::AddressMap(map), Step::Key(key)) => match map.and_then(|m| m.get(key)) {
            Some(value) => walk(View::Struct(value), rest, test, negated),
            None => test.holds_for_missing(negated),
        },
        // Compiling made sure that steps and fields fit.
        _ => false,
    }
}

impl Test {
    /// The answer where a map has no such key.
    fn holds_for_missing(&self, negated: bool) -> bool {
        match self.operator() {
            Operator::Equal | Operator::In => negated,
            Operator::Empty => !negated,
            Operator::Matches => true,
        }
    }
}
