//! Bodies of the certificate authority's endpoints.

use crate::decode::{DecodeError, fields, first_value, ignore, opaque};
use types::{Opaque, Str, ca::CaUpdate};

/// New settings of the authority, and the `State` that the body brings, unless that is empty.
///
/// # Errors
/// What is wrong with the body.
pub fn ca_configuration(body: &[u8]) -> Result<(CaUpdate, Option<Opaque>), DecodeError> {
    let mut update = CaUpdate {
        provider: Str::default(),
        config: Opaque::from_json(&serde_json::Value::Object(serde_json::Map::new())),
        force_without_cross_signing: false,
    };
    let mut state = None;
    fields(&first_value(body)?, "structs.CAConfiguration", |k, v| match k {
        "provider" => v.set_str(&mut update.provider),
        "config" => {
            if let Some(config) = opaque(v)? {
                update.config = config;
            }
            Ok(true)
        }
        "state" => {
            state = opaque(v)?.filter(|s| s.as_json_text() != "{}");
            Ok(true)
        }
        "forcewithoutcrosssigning" | "force_without_cross_signing" => {
            v.set_bool(&mut update.force_without_cross_signing)
        }
        "clusterid" | "createindex" | "modifyindex" => ignore(v),
        _ => Ok(false),
    })?;
    Ok((update, state))
}

/// Body of `/v1/agent/connect/authorize`.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct AuthorizeRequest {
    /// Name of the destination.
    pub target: Str,
    /// Identity of the source.
    pub client_cert_uri: Str,
    /// Serial number of its certificate, which nothing looks at.
    pub client_cert_serial: Str,
}

/// Who wants to talk to whom.
///
/// # Errors
/// What is wrong with the body.
pub fn authorize_request(body: &[u8]) -> Result<AuthorizeRequest, DecodeError> {
    let mut request = AuthorizeRequest::default();
    fields(&first_value(body)?, "structs.ConnectAuthorizeRequest", |k, v| match k {
        "target" => v.set_str(&mut request.target),
        "clientcerturi" => v.set_str(&mut request.client_cert_uri),
        "clientcertserial" => v.set_str(&mut request.client_cert_serial),
        _ => Ok(false),
    })?;
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read() {
        let body = br#"{"Provider":"consul","Config":{"PrivateKey":"SECRET"},"State":null,"ForceWithoutCrossSigning":true,"ModifyIndex":5}"#;
        let (update, state) = ca_configuration(body).unwrap();
        assert!(update.force_without_cross_signing && state.is_none());
        assert!(update.config.as_json_text().contains("SECRET"));
        assert!(!format!("{update:?}").contains("SECRET"));
        assert!(ca_configuration(br#"{"State":{"a":"b"}}"#).unwrap().1.is_some());
        assert!(ca_configuration(br#"{"State":{}}"#).unwrap().1.is_none());
        let unknown = ca_configuration(br#"{"Bogus":1}"#).unwrap_err().to_string();
        assert_eq!(unknown, r#"json: unknown field "Bogus""#);
        assert!(ca_configuration(br#"{"Config":[]}"#).is_err());
    }
}
