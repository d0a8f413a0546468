{{/*
The annotations by which each controller does not buffer answers, and does not cut a stream that is silent between two
heartbeats. No controller limits the time of the whole answer. No controller limits a body: uploads may be of any length, and
the broker answers what else is too large with a problem document.
*/}}
{{- define "sluice.ingressAnnotations" -}}
{{- if eq .Values.ingress.controller "nginx" }}
nginx.ingress.kubernetes.io/proxy-buffering: "off"
nginx.ingress.kubernetes.io/proxy-read-timeout: "3600"
nginx.ingress.kubernetes.io/proxy-send-timeout: "3600"
nginx.ingress.kubernetes.io/proxy-request-buffering: "off"
nginx.ingress.kubernetes.io/proxy-body-size: "0"
{{- else if eq .Values.ingress.controller "nginx.org" }}
nginx.org/proxy-buffering: "False"
nginx.org/proxy-read-timeout: 3600s
nginx.org/proxy-send-timeout: 3600s
nginx.org/client-max-body-size: "0"
{{- else if eq .Values.ingress.controller "haproxy.org" }}
haproxy.org/timeout-server: 1h
{{- else if eq .Values.ingress.controller "alb" }}
alb.ingress.kubernetes.io/target-type: ip
alb.ingress.kubernetes.io/load-balancer-attributes: idle_timeout.timeout_seconds=3600
alb.ingress.kubernetes.io/target-group-attributes: stickiness.enabled=false,deregistration_delay.timeout_seconds={{ include "sluice.graceSeconds" . }}
{{- end }}
{{- end -}}
