# shellcheck shell=bash
# Certificates and kubeconfigs of the testbed. To be sourced after network.sh. Gives: pki_cluster, pki_node.

PKI="$STATE/pki"

# certificate NAME SUBJECT USAGE [ALTERNATIVE_NAMES]: a key and a certificate signed by the testbed's own authority.
certificate() {
  local name="$1" subject="$2" usage="$3" alternative="${4:-}"
  [ -e "$PKI/$name.crt" ] && return 0
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "$subject" \
    -keyout "$PKI/$name.key" -out "$PKI/$name.csr" 2>/dev/null
  {
    echo "keyUsage = critical, digitalSignature"
    echo "extendedKeyUsage = $usage"
    [ -z "$alternative" ] || echo "subjectAltName = $alternative"
  } >"$PKI/$name.ext"
  openssl x509 -req -in "$PKI/$name.csr" -CA "$PKI/ca.crt" -CAkey "$PKI/ca.key" -CAcreateserial -days 3650 \
    -extfile "$PKI/$name.ext" -out "$PKI/$name.crt.new" 2>/dev/null
  mv "$PKI/$name.crt.new" "$PKI/$name.crt"
  rm -f "$PKI/$name.csr" "$PKI/$name.ext"
}

# kubeconfig NAME FILE: who holds the certificate NAME, talking to the API server on node1.
kubeconfig() {
  cat >"$2" <<EOF
apiVersion: v1
kind: Config
clusters:
- name: baton
  cluster:
    server: https://$(node_address node1):6443
    certificate-authority-data: $(base64 -w0 "$PKI/ca.crt")
users:
- name: $1
  user:
    client-certificate-data: $(base64 -w0 "$PKI/$1.crt")
    client-key-data: $(base64 -w0 "$PKI/$1.key")
contexts:
- name: baton
  context: {cluster: baton, user: $1}
current-context: baton
EOF
  chmod 600 "$2"
}

pki_cluster() {
  mkdir -p "$PKI"
  if [ ! -e "$PKI/ca.crt" ]; then
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=baton-testbed" -days 3650 \
      -addext "keyUsage = critical, keyCertSign, cRLSign" -keyout "$PKI/ca.key" -out "$PKI/ca.crt" 2>/dev/null
  fi
  if [ ! -e "$PKI/service-account.pub" ]; then
    openssl genrsa -out "$PKI/service-account.key" 2048 2>/dev/null
    openssl rsa -in "$PKI/service-account.key" -pubout -out "$PKI/service-account.pub" 2>/dev/null
  fi
  local service=kubernetes.default.svc.cluster.local names
  names="IP:$(node_address node1),IP:10.96.0.1,IP:127.0.0.1,DNS:kubernetes"
  names+=",DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:$service"
  certificate apiserver "/CN=kube-apiserver" serverAuth "$names"
  certificate apiserver-kubelet "/O=system:masters/CN=kube-apiserver-kubelet-client" clientAuth
  certificate admin "/O=system:masters/CN=admin" clientAuth
  certificate controller-manager "/CN=system:kube-controller-manager" clientAuth
  certificate scheduler "/CN=system:kube-scheduler" clientAuth
  certificate proxy "/CN=system:kube-proxy" clientAuth
  local name
  for name in controller-manager scheduler proxy; do
    kubeconfig "$name" "$PKI/$name.kubeconfig"
  done
  kubeconfig admin "$KUBECONFIG_FILE"
}

# pki_node NODE: what the kubelet of a node shows; the Node authorizer goes by this name.
pki_node() {
  certificate "$1" "/O=system:nodes/CN=system:node:$1" clientAuth
  kubeconfig "$1" "$PKI/$1.kubeconfig"
}
