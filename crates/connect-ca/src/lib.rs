//! Rules of the built-in certificate authority.
