//! User events, and where nodes are in the network.

use super::writer::{Array, Object, i64, key};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use std::sync::Arc;
use types::{
    coordinate::{Coordinate, CoordinateRow, DatacenterCoordinates},
    event::UserEvent,
};

/// A list of user events.
pub fn user_events<'a>(out: &mut Vec<u8>, events: impl IntoIterator<Item = &'a UserEvent>) {
    let mut list = Array::open(out);
    for event in events {
        user_event(list.item(), event);
    }
    list.close();
}

/// A user event.
pub fn user_event(out: &mut Vec<u8>, event: &UserEvent) {
    let mut o = Object::open(out);
    o.str(key!("ID"), &event.id);
    o.str(key!("Name"), &event.name);
    if event.payload.is_empty() {
        o.value(key!("Payload")).extend_from_slice(b"null");
    } else {
        o.str(key!("Payload"), &STANDARD.encode(&event.payload));
    }
    o.str(key!("NodeFilter"), &event.node_filter);
    o.str(key!("ServiceFilter"), &event.service_filter);
    o.str(key!("TagFilter"), &event.tag_filter);
    o.u64(key!("Version"), event.version.into());
    o.u64(key!("LTime"), event.ltime);
    o.close();
}

/// Places of nodes.
pub fn coordinates(out: &mut Vec<u8>, rows: &[Arc<CoordinateRow>]) {
    let mut list = Array::open(out);
    for row in rows {
        entry(list.item(), &row.node, &row.segment, &row.coordinate);
    }
    list.close();
}

/// `/v1/coordinate/datacenters`.
pub fn datacenter_coordinates(out: &mut Vec<u8>, all: &[DatacenterCoordinates]) {
    let mut list = Array::open(out);
    for dc in all {
        let mut o = Object::open(list.item());
        o.str(key!("Datacenter"), &dc.datacenter);
        o.str(key!("AreaID"), "wan");
        let mut servers = Array::open(o.value(key!("Coordinates")));
        for (node, coordinate) in &dc.servers {
            entry(servers.item(), node, "", coordinate);
        }
        servers.close();
        o.close();
    }
    list.close();
}

fn entry(out: &mut Vec<u8>, node: &str, segment: &str, at: &Coordinate) {
    let mut o = Object::open(out);
    o.str(key!("Node"), node);
    o.str(key!("Segment"), segment);
    coordinate(o.value(key!("Coord")), at);
    o.close();
}

/// A place.
pub fn coordinate(out: &mut Vec<u8>, c: &Coordinate) {
    let mut o = Object::open(out);
    let mut vec = Array::open(o.value(key!("Vec")));
    for v in c.vec {
        float(vec.item(), v);
    }
    vec.close();
    float(o.value(key!("Error")), c.error);
    float(o.value(key!("Adjustment")), c.adjustment);
    float(o.value(key!("Height")), c.height);
    o.close();
}

/// A number as Go writes it: shortest digits, an exponent only for the very small and the very large.
fn float(out: &mut Vec<u8>, v: f64) {
    let size = v.abs();
    if v.fract() == 0.0 && size < 1e15 && !(v == 0.0 && v.is_sign_negative()) {
        i64(out, v as i64);
    } else if size >= 1e21 {
        out.extend_from_slice(format!("{v:e}").replace('e', "e+").as_bytes());
    } else if size != 0.0 && size < 1e-6 {
        out.extend_from_slice(format!("{v:e}").as_bytes());
    } else {
        out.extend_from_slice(v.to_string().as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_and_places_look_as_clients_know_them() {
        let mut out = Vec::new();
        let event = UserEvent {
            id: "x".into(),
            name: "deploy".into(),
            payload: "hi".into(),
            version: 1,
            ..UserEvent::default()
        };
        user_events(&mut out, [&event]);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            r#"[{"ID":"x","Name":"deploy","Payload":"aGk=","NodeFilter":"","ServiceFilter":"","TagFilter":"","Version":1,"LTime":0}]"#
        );
        let mut c = Coordinate::default();
        (c.vec[0], c.vec[1], c.adjustment) = (0.1, -2.5e-7, 1e22);
        let mut out = Vec::new();
        coordinate(&mut out, &c);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            r#"{"Vec":[0.1,-2.5e-7,0,0,0,0,0,0],"Error":1.5,"Adjustment":1e+22,"Height":0.00001}"#
        );
    }
}
