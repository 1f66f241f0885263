package main

import (
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// newClient makes a client from a kubeconfig, or from the pod it runs in when
// the path is empty.
func newClient(path string) (*kubernetes.Clientset, error) {
	c, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		return nil, err
	}
	return kubernetes.NewForConfig(c)
}
