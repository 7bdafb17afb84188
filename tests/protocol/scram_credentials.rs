//! DescribeUserScramCredentials (key 50), version 0: there are none.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::DescribeUserScramCredentialsRequest;
use kafka_protocol::messages::describe_user_scram_credentials_request::UserName;

use crate::connect;
use crate::support::requests::text;

#[test]
fn kip_554_no_user_has_scram_credentials() {
    let (_broker, mut client) = connect();
    for all in [None, Some(vec![])] {
        let answer = client.call(&DescribeUserScramCredentialsRequest::default().with_users(all), 0);
        assert_eq!((answer.error_code, answer.error_message, answer.results), (0, Some(text("")), vec![]));
    }
    let users = ["nobody", "twice", "", "twice"].map(|name| UserName::default().with_name(text(name)));
    let request = DescribeUserScramCredentialsRequest::default().with_users(Some(users.to_vec()));
    let answer = client.call(&request, 0);
    assert_eq!((answer.error_code, answer.error_message), (0, Some(text(""))));
    let mut results: Vec<_> = answer
        .results
        .iter()
        .map(|result| {
            assert!(result.credential_infos.is_empty());
            (result.user.as_str(), result.error_code, result.error_message.as_ref().map(|text| text.as_str()))
        })
        .collect();
    results.sort();
    let (absent, twice) = (ResponseError::ResourceNotFound.code(), ResponseError::DuplicateResource.code());
    assert_eq!(
        results,
        [
            ("", absent, Some("Attempt to describe a user credential that does not exist: ")),
            ("nobody", absent, Some("Attempt to describe a user credential that does not exist: nobody")),
            (
                "twice",
                twice,
                Some("Cannot describe SCRAM credentials for the same user twice in a single request: twice")
            ),
        ]
    );
}
