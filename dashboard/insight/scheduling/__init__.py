"""What kube-scheduler goes by (Kubernetes 1.36): which nodes a pod can run on, for how many there is room, why not."""
