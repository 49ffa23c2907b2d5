//! The fields of kubeadm's configuration, for each version of its API.
//!
//! kubeadm itself only warns of an unknown field and goes on without it: a misspelt `extraArgs` gives a cluster without
//! the admission plugin. Sources: `cmd/kubeadm/app/apis/kubeadm/*/types.go` of each version.

use std::collections::BTreeMap;

use super::api::Api;

/// What may stand in a place of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    /// Anything: a scalar, a list of scalars, or a map with keys of the user's choice.
    Any,
    /// An object with these fields.
    Object(BTreeMap<&'static str, Field>),
    /// A list of objects with these fields.
    List(BTreeMap<&'static str, Field>),
}

/// The fields of the document with the cluster's settings.
pub fn cluster(api: Api) -> BTreeMap<&'static str, Field> {
    read(match api {
        Api::V1alpha1 => V1ALPHA1_MASTER,
        Api::V1alpha2 => V1ALPHA2_MASTER,
        Api::V1alpha3 => V1ALPHA3_CLUSTER,
        Api::V1beta1 | Api::V1beta2 => V1BETA2_CLUSTER,
        Api::V1beta3 => V1BETA3_CLUSTER,
        Api::V1beta4 => V1BETA4_CLUSTER,
    })
}

/// The fields of InitConfiguration; none where there is no such document.
pub fn init(api: Api) -> BTreeMap<&'static str, Field> {
    read(match api {
        Api::V1alpha1 | Api::V1alpha2 => "",
        Api::V1alpha3 => V1ALPHA3_INIT,
        Api::V1beta1 => V1BETA1_INIT,
        Api::V1beta2 => V1BETA2_INIT,
        Api::V1beta3 => V1BETA3_INIT,
        Api::V1beta4 => V1BETA4_INIT,
    })
}

/// The fields of the document of `kubeadm join`.
pub fn join(api: Api) -> BTreeMap<&'static str, Field> {
    read(match api {
        Api::V1alpha1 => V1ALPHA1_NODE,
        Api::V1alpha2 => V1ALPHA2_NODE,
        Api::V1alpha3 => V1ALPHA3_JOIN,
        Api::V1beta1 => V1BETA1_JOIN,
        Api::V1beta2 => V1BETA2_JOIN,
        Api::V1beta3 => V1BETA3_JOIN,
        Api::V1beta4 => V1BETA4_JOIN,
    })
}

// A name alone is a field that takes anything; name{…} an object, name[…] a list of objects.

const V1ALPHA1_MASTER: &str = "
    api{advertiseAddress controlPlaneEndpoint bindPort}
    kubeProxy{config}
    etcd{endpoints caFile certFile keyFile dataDir extraArgs image selfHosted serverCertSANs peerCertSANs}
    kubeletConfiguration{baseConfig}
    networking{serviceSubnet podSubnet dnsDomain}
    kubernetesVersion cloudProvider nodeName authorizationModes noTaintMaster privilegedPods
    token tokenTTL tokenUsages tokenGroups criSocket
    apiServerExtraArgs controllerManagerExtraArgs schedulerExtraArgs
    apiServerExtraVolumes[name hostPath mountPath writable pathType]
    controllerManagerExtraVolumes[name hostPath mountPath writable pathType]
    schedulerExtraVolumes[name hostPath mountPath writable pathType]
    apiServerCertSANs certificatesDir imageRepository imagePullPolicy unifiedControlPlaneImage
    auditPolicy{path logDir logMaxAge}
    featureGates clusterName";

const V1ALPHA2_MASTER: &str = "
    bootstrapTokens[token description ttl expires usages groups]
    nodeRegistration{name criSocket taints kubeletExtraArgs}
    api{advertiseAddress controlPlaneEndpoint bindPort}
    kubeProxy{config}
    etcd{
        local{image dataDir extraArgs serverCertSANs peerCertSANs}
        external{endpoints caFile certFile keyFile}
    }
    kubeletConfiguration{baseConfig}
    networking{serviceSubnet podSubnet dnsDomain}
    kubernetesVersion
    apiServerExtraArgs controllerManagerExtraArgs schedulerExtraArgs
    apiServerExtraVolumes[name hostPath mountPath writable pathType]
    controllerManagerExtraVolumes[name hostPath mountPath writable pathType]
    schedulerExtraVolumes[name hostPath mountPath writable pathType]
    apiServerCertSANs certificatesDir imageRepository unifiedControlPlaneImage
    auditPolicy{path logDir logMaxAge}
    featureGates clusterName";

const V1ALPHA3_CLUSTER: &str = "
    etcd{
        local{image dataDir extraArgs serverCertSANs peerCertSANs}
        external{endpoints caFile certFile keyFile}
    }
    networking{serviceSubnet podSubnet dnsDomain}
    kubernetesVersion controlPlaneEndpoint
    apiServerExtraArgs controllerManagerExtraArgs schedulerExtraArgs
    apiServerExtraVolumes[name hostPath mountPath writable pathType]
    controllerManagerExtraVolumes[name hostPath mountPath writable pathType]
    schedulerExtraVolumes[name hostPath mountPath writable pathType]
    apiServerCertSANs certificatesDir imageRepository unifiedControlPlaneImage
    auditPolicy{path logDir logMaxAge}
    featureGates clusterName";

const V1ALPHA3_INIT: &str = "
    bootstrapTokens[token description ttl expires usages groups]
    nodeRegistration{name criSocket taints kubeletExtraArgs}
    apiEndpoint{advertiseAddress bindPort}";

const V1BETA2_CLUSTER: &str = "
    etcd{
        local{imageRepository imageTag dataDir extraArgs serverCertSANs peerCertSANs}
        external{endpoints caFile certFile keyFile}
    }
    networking{serviceSubnet podSubnet dnsDomain}
    kubernetesVersion controlPlaneEndpoint
    apiServer{extraArgs extraVolumes[name hostPath mountPath readOnly pathType] certSANs timeoutForControlPlane}
    controllerManager{extraArgs extraVolumes[name hostPath mountPath readOnly pathType]}
    scheduler{extraArgs extraVolumes[name hostPath mountPath readOnly pathType]}
    dns{type imageRepository imageTag}
    certificatesDir imageRepository useHyperKubeImage featureGates clusterName";

const V1BETA1_INIT: &str = "
    bootstrapTokens[token description ttl expires usages groups]
    nodeRegistration{name criSocket taints kubeletExtraArgs}
    localAPIEndpoint{advertiseAddress bindPort}";

const V1BETA2_INIT: &str = "
    bootstrapTokens[token description ttl expires usages groups]
    nodeRegistration{name criSocket taints kubeletExtraArgs ignorePreflightErrors}
    localAPIEndpoint{advertiseAddress bindPort}
    certificateKey";

const V1BETA3_CLUSTER: &str = "
    etcd{
        local{imageRepository imageTag dataDir extraArgs serverCertSANs peerCertSANs}
        external{endpoints caFile certFile keyFile}
    }
    networking{serviceSubnet podSubnet dnsDomain}
    kubernetesVersion controlPlaneEndpoint
    apiServer{extraArgs extraVolumes[name hostPath mountPath readOnly pathType] certSANs timeoutForControlPlane}
    controllerManager{extraArgs extraVolumes[name hostPath mountPath readOnly pathType]}
    scheduler{extraArgs extraVolumes[name hostPath mountPath readOnly pathType]}
    dns{imageRepository imageTag}
    certificatesDir imageRepository featureGates clusterName";

const V1BETA3_INIT: &str = "
    bootstrapTokens[token description ttl expires usages groups]
    nodeRegistration{name criSocket taints kubeletExtraArgs ignorePreflightErrors imagePullPolicy}
    localAPIEndpoint{advertiseAddress bindPort}
    certificateKey skipPhases patches{directory}";

const V1BETA4_CLUSTER: &str = "
    etcd{
        local{imageRepository imageTag dataDir extraArgs extraEnvs serverCertSANs peerCertSANs}
        external{endpoints caFile certFile keyFile httpEndpoints}
    }
    networking{serviceSubnet podSubnet dnsDomain}
    kubernetesVersion controlPlaneEndpoint
    apiServer{extraArgs extraVolumes[name hostPath mountPath readOnly pathType] extraEnvs certSANs}
    controllerManager{extraArgs extraVolumes[name hostPath mountPath readOnly pathType] extraEnvs}
    scheduler{extraArgs extraVolumes[name hostPath mountPath readOnly pathType] extraEnvs}
    dns{imageRepository imageTag disabled}
    proxy{disabled}
    certificatesDir imageRepository featureGates clusterName
    encryptionAlgorithm certificateValidityPeriod caCertificateValidityPeriod";

const V1BETA4_INIT: &str = "
    bootstrapTokens[token description ttl expires usages groups]
    dryRun
    nodeRegistration{
        name criSocket taints kubeletExtraArgs ignorePreflightErrors imagePullPolicy imagePullSerial
    }
    localAPIEndpoint{advertiseAddress bindPort}
    certificateKey skipPhases patches{directory}
    timeouts{
        controlPlaneComponentHealthCheck kubeletHealthCheck kubernetesAPICall etcdAPICall tlsBootstrap discovery
        upgradeManifests
    }";

const V1ALPHA1_NODE: &str = "
    caCertPath discoveryFile discoveryToken discoveryTokenAPIServers discoveryTimeout nodeName tlsBootstrapToken token
    criSocket clusterName discoveryTokenCACertHashes discoveryTokenUnsafeSkipCAVerification featureGates";

const V1ALPHA2_NODE: &str = "
    nodeRegistration{name criSocket taints kubeletExtraArgs}
    caCertPath discoveryFile discoveryToken discoveryTokenAPIServers discoveryTimeout tlsBootstrapToken token
    clusterName discoveryTokenCACertHashes discoveryTokenUnsafeSkipCAVerification
    controlPlane advertiseAddress bindPort featureGates";

const V1ALPHA3_JOIN: &str = "
    nodeRegistration{name criSocket taints kubeletExtraArgs}
    caCertPath discoveryFile discoveryToken discoveryTokenAPIServers discoveryTimeout tlsBootstrapToken token
    clusterName discoveryTokenCACertHashes discoveryTokenUnsafeSkipCAVerification
    controlPlane apiEndpoint{advertiseAddress bindPort} featureGates";

const V1BETA1_JOIN: &str = "
    nodeRegistration{name criSocket taints kubeletExtraArgs}
    caCertPath
    discovery{
        bootstrapToken{token apiServerEndpoint caCertHashes unsafeSkipCAVerification}
        file{kubeConfigPath} tlsBootstrapToken timeout
    }
    controlPlane{localAPIEndpoint{advertiseAddress bindPort}}";

const V1BETA2_JOIN: &str = "
    nodeRegistration{name criSocket taints kubeletExtraArgs ignorePreflightErrors}
    caCertPath
    discovery{
        bootstrapToken{token apiServerEndpoint caCertHashes unsafeSkipCAVerification}
        file{kubeConfigPath} tlsBootstrapToken timeout
    }
    controlPlane{localAPIEndpoint{advertiseAddress bindPort} certificateKey}";

const V1BETA3_JOIN: &str = "
    nodeRegistration{name criSocket taints kubeletExtraArgs ignorePreflightErrors imagePullPolicy}
    caCertPath
    discovery{
        bootstrapToken{token apiServerEndpoint caCertHashes unsafeSkipCAVerification}
        file{kubeConfigPath} tlsBootstrapToken timeout
    }
    controlPlane{localAPIEndpoint{advertiseAddress bindPort} certificateKey}
    skipPhases patches{directory}";

const V1BETA4_JOIN: &str = "
    dryRun
    nodeRegistration{
        name criSocket taints kubeletExtraArgs ignorePreflightErrors imagePullPolicy imagePullSerial
    }
    caCertPath
    discovery{
        bootstrapToken{token apiServerEndpoint caCertHashes unsafeSkipCAVerification}
        file{kubeConfigPath} tlsBootstrapToken
    }
    controlPlane{localAPIEndpoint{advertiseAddress bindPort} certificateKey}
    skipPhases patches{directory}
    timeouts{
        controlPlaneComponentHealthCheck kubeletHealthCheck kubernetesAPICall etcdAPICall tlsBootstrap discovery
        upgradeManifests
    }";

/// Reads one of the tables above.
fn read(table: &'static str) -> BTreeMap<&'static str, Field> {
    read_level(&mut { table })
}

fn read_level(rest: &mut &'static str) -> BTreeMap<&'static str, Field> {
    let mut fields = BTreeMap::new();
    loop {
        *rest = rest.trim_start();
        let end = rest
            .find(|c: char| !c.is_ascii_alphanumeric())
            .unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        if name.is_empty() {
            // The closing bracket of this level, or the end of the table.
            *rest = rest.get(1..).unwrap_or("");
            return fields;
        }
        *rest = after;
        let field = match after.chars().next() {
            Some(bracket @ ('{' | '[')) => {
                *rest = &after[1..];
                let inner = read_level(rest);
                if bracket == '{' {
                    Field::Object(inner)
                } else {
                    Field::List(inner)
                }
            }
            _ => Field::Any,
        };
        fields.insert(name, field);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
    use super::*;

    fn at<'f>(fields: &'f BTreeMap<&'static str, Field>, path: &str) -> &'f Field {
        let (first, rest) = path.split_once('.').unwrap_or((path, ""));
        match &fields[first] {
            field if rest.is_empty() => field,
            Field::Object(inner) | Field::List(inner) => at(inner, rest),
            Field::Any => panic!("{path}: nothing is inside"),
        }
    }

    #[test]
    fn tables_are_read_to_their_ends() {
        for api in Api::ALL {
            assert!(cluster(api).contains_key("featureGates"), "{api:?}");
            let init = init(api);
            assert_eq!(init.is_empty(), api.is_one_document());
            assert!(join(api).len() > 3);
        }
        assert_eq!(*at(&cluster(Api::V1beta2), "etcd.external.keyFile"), Field::Any);
        assert_eq!(
            *at(&cluster(Api::V1beta4), "caCertificateValidityPeriod"),
            Field::Any
        );
        assert_eq!(*at(&init(Api::V1beta4), "timeouts.upgradeManifests"), Field::Any);
        assert!(matches!(
            at(&cluster(Api::V1beta2), "scheduler.extraVolumes"),
            Field::List(_)
        ));
        assert_eq!(
            *at(&join(Api::V1beta2), "controlPlane.localAPIEndpoint.bindPort"),
            Field::Any
        );
    }
}
