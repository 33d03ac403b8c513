//! The DNS server loops and recursors.
