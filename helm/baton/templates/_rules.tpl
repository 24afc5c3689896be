{{/*
What the operator may do to the objects of the namespaces that it manages: exactly what it does. Server-side apply
needs patch, and create for an object that is not there yet. Nothing here deletes anything: what belongs to a cluster
goes with it, by owner references.
*/}}
{{- define "baton.rules" -}}
# Clusters: watched; annotations that carry orders are taken off, and the finalizer is put on and taken off.
- apiGroups: [mysql.baton.dev]
  resources: [mysqlreplicationclusters]
  verbs: [get, list, watch, patch]
# What was seen and done, and the record that a failover rests on: compare-and-set.
- apiGroups: [mysql.baton.dev]
  resources: [mysqlreplicationclusters/status]
  verbs: [update]
# Owner references that block deletion need this where OwnerReferencesPermissionEnforcement is on.
- apiGroups: [mysql.baton.dev]
  resources: [mysqlreplicationclusters/finalizers]
  verbs: [update]
# Members: their addresses and fate are watched, their role label is set.
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch, patch]
# Endpoints of members, primary and replicas; the primary's selector is what a failover moves.
- apiGroups: [""]
  resources: [services]
  verbs: [get, list, watch, create, patch]
# my.cnf. Read, as all that is made, so that what is somebody else's and bears its name is not written.
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get, create, patch]
# Certificates, token and passwords of each cluster, by name; Secrets are neither listed nor watched.
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, create, patch]
# Volumes of members, by name: they grow with spec.storage.size.
- apiGroups: [""]
  resources: [persistentvolumeclaims]
  verbs: [get, patch]
# What happened, for kubectl describe; repeated events are counted up. Read to tell why a volume is not bound.
- apiGroups: [""]
  resources: [events]
  verbs: [list, create, patch]
# The members' pods.
- apiGroups: [apps]
  resources: [statefulsets]
  verbs: [get, list, watch, create, patch]
# Drains take one member at a time.
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, create, patch]
{{- end -}}
