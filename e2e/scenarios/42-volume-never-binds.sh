#!/usr/bin/env bash
# A storage class that does not exist: status has a sentence that names the claim.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

says_volume() { field .status.message | grep -q 'PersistentVolumeClaim'; }

kubectl create namespace "$NAMESPACE" --dry-run=client -o yaml | kubectl apply -f - >/dev/null
k apply -f - >/dev/null <<YAML
apiVersion: mysql.baton.dev/v1alpha1
kind: MySQLReplicationCluster
metadata: {name: shop}
spec: {replicas: 1, image: $MYSQL_IMAGE, storage: {size: 1Gi, storageClassName: no-such-class}}
YAML
until_true 120 "status says that the volume is missing" says_volume
say "it says: $(field .status.message)"
