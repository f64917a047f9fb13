//! The laws of the chain: what is decided stays, what is refused leaves no trace, what is proven is there.

#[path = "chain/embedded.rs"]
mod embedded;
#[path = "../../election/tests/ledger/fixture.rs"]
mod fixture;
#[path = "chain/gateway.rs"]
mod gateway;
#[path = "chain/ledger.rs"]
mod ledger;
#[path = "chain/model.rs"]
mod model;
#[path = "chain/server.rs"]
mod server;
#[path = "chain/storage.rs"]
mod storage;
#[path = "chain/validators.rs"]
mod validators;
