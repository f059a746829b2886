//! Ids for every write, made before it is sent: a repeat with the same ids has its effect once (rule 5).

use crate::proto::v1::{
    AdjustRequest, BatchCommitRequest, BatchConsumeRequest, BatchReserveRequest, CommitRequest, ConsumeRequest,
    CreateLimitRequestRequest, ExtendRequest, FreeRequest, ReleaseRequest, ReserveRequest,
};
use uuid::Uuid;

/// A write whose empty ids can be filled in.
pub(super) trait FillIds {
    /// Gives every empty id a fresh version 7 UUID, and leaves the caller's ids alone.
    fn fill_ids(&mut self);
}

fn fill(id: &mut String) {
    if id.is_empty() {
        *id = Uuid::now_v7().to_string();
    }
}

/// Implements [`FillIds`] for requests by the names of the ids to fill.
macro_rules! fill_ids {
    ($($request:ty: $($id:ident),+;)+) => {
        $(impl FillIds for $request {
            fn fill_ids(&mut self) {
                $(fill(&mut self.$id);)+
            }
        })+
    };
}

// A reservation to commit, release, extend or free is always the caller's to name.
fill_ids! {
    ReserveRequest: reservation_id, request_id;
    ConsumeRequest: reservation_id, request_id;
    CommitRequest: request_id;
    ReleaseRequest: request_id;
    ExtendRequest: request_id;
    FreeRequest: request_id;
    AdjustRequest: request_id;
    CreateLimitRequestRequest: limit_request_id;
}

/// Implements [`FillIds`] for batches: each item has ids of its own.
macro_rules! fill_batch_ids {
    ($($batch:ty),+) => {
        $(impl FillIds for $batch {
            fn fill_ids(&mut self) {
                self.requests.iter_mut().for_each(FillIds::fill_ids);
            }
        })+
    };
}

fill_batch_ids!(BatchReserveRequest, BatchCommitRequest, BatchConsumeRequest);
