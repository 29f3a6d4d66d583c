//! What a node says about itself and its cluster: the features service and the gossip service.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::{
    cluster::Role,
    database::Database,
    faults::Operation,
    node::{Call, Node},
    wire::event_store::client::{
        Empty, Uuid as WireUuid,
        gossip::{ClusterInfo, EndPoint, MemberInfo, gossip_server::Gossip, member_info::VNodeState},
        server_features::{SupportedMethod, SupportedMethods, server_features_server::ServerFeatures},
        uuid::Value,
    },
};

/// Methods and their services in lower case, as the server lists them. Source: `ServerFeatures.cs` of the server, read
/// in `server_features.rs` of kurrentdb 1.2.0. Live: not verified.
const METHODS: [(&str, &str); 6] = [
    ("event_store.client.streams.streams", "read"),
    ("event_store.client.streams.streams", "append"),
    ("event_store.client.streams.streams", "delete"),
    ("event_store.client.streams.streams", "tombstone"),
    ("event_store.client.gossip.gossip", "read"),
    ("event_store.client.server_features.serverfeatures", "getsupportedmethods"),
];

/// Both services. Everybody may ask them.
#[derive(Clone, Debug)]
pub(super) struct Info(pub(super) Arc<Node>);

#[tonic::async_trait]
impl ServerFeatures for Info {
    async fn get_supported_methods(&self, request: Request<Empty>) -> Result<Response<SupportedMethods>, Status> {
        self.strike(Operation::Features, &request).await?;
        let methods = METHODS.map(|(service, method)| SupportedMethod {
            method_name: method.to_owned(),
            service_name: service.to_owned(),
            features: Vec::new(),
        });
        let version = self.0.options.version.clone();
        Ok(Response::new(SupportedMethods { methods: methods.into(), event_store_server_version: version }))
    }
}

#[tonic::async_trait]
impl Gossip for Info {
    async fn read(&self, request: Request<Empty>) -> Result<Response<ClusterInfo>, Status> {
        self.strike(Operation::Gossip, &request).await?;
        let members = &self.0.members;
        let now = Database::now().timestamp_micros() * 10;
        let infos = members.list().iter().enumerate().map(|(index, member)| {
            let role = members.role(index);
            let state = match role {
                Role::Leader => VNodeState::Leader,
                Role::Follower => VNodeState::Follower,
                Role::Searching => VNodeState::Unknown,
                Role::Dead => VNodeState::Shutdown,
            };
            MemberInfo {
                instance_id: Some(WireUuid { value: Some(Value::String(member.id.to_string())) }),
                time_stamp: now,
                state: state.into(),
                is_alive: role != Role::Dead,
                http_end_point: Some(EndPoint {
                    address: member.address.ip().to_string(),
                    port: member.address.port().into(),
                }),
            }
        });
        Ok(Response::new(ClusterInfo { members: infos.collect() }))
    }
}

impl Info {
    async fn strike<T>(&self, operation: Operation, request: &Request<T>) -> Result<(), Status> {
        let call = Call::of(request);
        let fault = self.0.faults.take(operation);
        self.0.before(fault, &call.connection).await?;
        self.0.after(fault, &call.connection).await
    }
}
