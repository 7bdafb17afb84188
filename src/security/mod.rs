//! Who a client is and what it may do.
//!
//! Every handler asks [`Authorizer::allows`] before it acts, from the first day; there are no ACLs yet, so that
//! everybody may do everything, as in Apache Kafka without an authorizer.
//!
//! Source: `org.apache.kafka.common.acl.AclOperation`, `kafka.server.AuthHelper`.

/// Who a client is. `User:ANONYMOUS` on a listener without authentication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    name: &'static str,
}

impl Principal {
    /// A client that did not say who it is.
    pub const ANONYMOUS: Principal = Principal { name: "ANONYMOUS" };

    /// The user's name.
    pub fn name(&self) -> &str {
        self.name
    }
}

/// What a client wants to do; the discriminants are the wire's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Read records.
    Read = 3,
    /// Append records.
    Write = 4,
    /// Create a topic.
    Create = 5,
    /// Delete a topic.
    Delete = 6,
    /// Change a topic or the cluster.
    Alter = 7,
    /// See that something exists.
    Describe = 8,
    /// What brokers do to each other.
    ClusterAction = 9,
    /// See settings.
    DescribeConfigs = 10,
    /// Change settings.
    AlterConfigs = 11,
    /// Produce idempotently.
    IdempotentWrite = 12,
}

/// On what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource<'a> {
    /// A topic by its name.
    Topic(&'a str),
    /// The cluster as a whole.
    Cluster,
}

impl Resource<'_> {
    fn operations(&self) -> &'static [Operation] {
        use Operation::*;
        match self {
            Resource::Topic(_) => &[Read, Write, Create, Delete, Alter, Describe, DescribeConfigs, AlterConfigs],
            Resource::Cluster => {
                &[Create, Alter, Describe, ClusterAction, DescribeConfigs, AlterConfigs, IdempotentWrite]
            }
        }
    }
}

/// Decides what clients may do.
#[derive(Clone, Copy, Debug, Default)]
pub struct Authorizer;

impl Authorizer {
    /// Whether `principal` may do `operation` on `resource`.
    pub fn allows(&self, _principal: &Principal, operation: Operation, resource: Resource<'_>) -> bool {
        resource.operations().contains(&operation)
    }

    /// All that `principal` may do on `resource`, as the bit field of Metadata and DescribeCluster.
    pub fn allowed(&self, principal: &Principal, resource: Resource<'_>) -> i32 {
        let allowed = resource.operations().iter().filter(|operation| self.allows(principal, **operation, resource));
        allowed.fold(0, |bits, operation| bits | 1 << (*operation as i32))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bit_fields_are_those_of_a_kafka_without_an_authorizer() {
        // Taken from DescribeCluster and Metadata answers of Apache Kafka 4.3 without an authorizer.
        assert_eq!(Authorizer.allowed(&Principal::ANONYMOUS, Resource::Topic("t")), 0b1101_1111_1000);
        assert_eq!(Authorizer.allowed(&Principal::ANONYMOUS, Resource::Cluster), 0b1_1111_1010_0000);
    }
}
