//! The services and checks of this agent, and the plan that syncs them.
