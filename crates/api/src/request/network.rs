//! Body of `PUT /v1/coordinate/update`.

use crate::decode::{DecodeError, Json, Number, fields, first_value, ignore};
use types::{
    NodeName, Str, Tenancy,
    coordinate::{Coordinate, DIMENSIONS},
};

/// Where a client says that a node is.
#[derive(Clone, PartialEq, Debug)]
pub struct CoordinateUpdate {
    /// Node.
    pub node: NodeName,
    /// Segment.
    pub segment: Str,
    /// Partition, if the body names one.
    pub tenancy: Tenancy,
    /// The place, or why it is none.
    pub coordinate: Result<Coordinate, &'static str>,
}

/// Reads an update.
///
/// # Errors
/// What is wrong with the body.
pub fn coordinate_update(body: &[u8]) -> Result<CoordinateUpdate, DecodeError> {
    let (mut node, mut segment, mut partition) = (NodeName::default(), Str::default(), Str::default());
    let mut coordinate = Err("invalid coordinate");
    fields(&first_value(body)?, "structs.CoordinateUpdateRequest", |k, v| match k {
        "node" => v.set_str(&mut node),
        "segment" => v.set_str(&mut segment),
        "partition" => v.set_str(&mut partition),
        "coord" => {
            if *v != Json::Null {
                coordinate = place(v)?;
            }
            Ok(true)
        }
        "datacenter" | "token" => ignore(v),
        _ => Ok(false),
    })?;
    Ok(CoordinateUpdate { node, segment, tenancy: Tenancy::new(&partition, ""), coordinate })
}

fn place(v: &Json) -> Result<Result<Coordinate, &'static str>, DecodeError> {
    let mut c = Coordinate { error: 0.0, height: 0.0, ..Coordinate::default() };
    let mut vec = Vec::new();
    fields(v, "coordinate.Coordinate", |k, v| match k {
        "vec" => {
            match v {
                Json::Null => vec.clear(),
                Json::Array(list) => vec = list.iter().map(float).collect::<Result<_, _>>()?,
                other => {
                    return Err(DecodeError::Type { found: other.kind().to_owned(), wanted: "[]float64" });
                }
            }
            Ok(true)
        }
        "error" => float(v).map(|n| c.error = n).map(|()| true),
        "adjustment" => float(v).map(|n| c.adjustment = n).map(|()| true),
        "height" => float(v).map(|n| c.height = n).map(|()| true),
        _ => Ok(false),
    })?;
    let Ok(vec) = <[f64; DIMENSIONS]>::try_from(vec) else { return Ok(Err("incompatible coordinate")) };
    c.vec = vec;
    Ok(if c.is_valid() { Ok(c) } else { Err("invalid coordinate") })
}

fn float(v: &Json) -> Result<f64, DecodeError> {
    Ok(match v {
        Json::Null => 0.0,
        Json::Number(Number::Signed(n)) => *n as f64,
        Json::Number(Number::Unsigned(n)) => *n as f64,
        Json::Number(Number::Float(n)) => *n,
        other => return Err(DecodeError::Type { found: other.kind().to_owned(), wanted: "float64" }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_checked() {
        let good =
            br#"{"node":"n1","Coord":{"Vec":[1,-2,0.5,0,0,0,0,0],"Error":1.5,"Height":1e-5},"Token":"x"}"#;
        let update = coordinate_update(good).unwrap();
        let place = update.coordinate.unwrap();
        assert_eq!((update.node.as_str(), place.vec[1], place.height), ("n1", -2.0, 1e-5));
        let why = |body: &str| coordinate_update(body.as_bytes()).map(|u| u.coordinate.err());
        assert_eq!(why(r#"{"Node":"n1"}"#).unwrap(), Some("invalid coordinate"));
        assert_eq!(why(r#"{"Node":"n1","Coord":{"Vec":[1,2]}}"#).unwrap(), Some("incompatible coordinate"));
        assert!(why(r#"{"Bogus":1}"#).is_err() && why(r#"{"Coord":{"Vec":["x"]}}"#).is_err());
        assert!(why("{").is_err() && why("").is_err());
    }
}
