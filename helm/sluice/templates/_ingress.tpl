{{/*
The annotations by which each controller does not buffer answers, and does not cut a stream that is silent between two
heartbeats. No controller limits the time of the whole answer. The body limit is the broker's own limit, so that the broker
can answer a large body with a problem document.
*/}}
{{- define "sluice.ingressAnnotations" -}}
{{- $body := include "sluice.bodyBytes" . -}}
{{- if eq .Values.ingress.controller "nginx" }}
nginx.ingress.kubernetes.io/proxy-buffering: "off"
nginx.ingress.kubernetes.io/proxy-read-timeout: "3600"
nginx.ingress.kubernetes.io/proxy-send-timeout: "3600"
nginx.ingress.kubernetes.io/proxy-body-size: {{ $body | quote }}
{{- else if eq .Values.ingress.controller "nginx.org" }}
nginx.org/proxy-buffering: "False"
nginx.org/proxy-read-timeout: 3600s
nginx.org/proxy-send-timeout: 3600s
nginx.org/client-max-body-size: {{ $body | quote }}
{{- else if eq .Values.ingress.controller "haproxy.org" }}
haproxy.org/timeout-server: 1h
{{- else if eq .Values.ingress.controller "alb" }}
alb.ingress.kubernetes.io/target-type: ip
alb.ingress.kubernetes.io/load-balancer-attributes: idle_timeout.timeout_seconds=3600
alb.ingress.kubernetes.io/target-group-attributes: stickiness.enabled=false,deregistration_delay.timeout_seconds={{ include "sluice.graceSeconds" . }}
{{- end }}
{{- end -}}

{{/* SLUICE_MAX_BODY_BYTES as a number. */}}
{{- define "sluice.bodyBytes" -}}
{{- $text := .Values.settings.SLUICE_MAX_BODY_BYTES | default "1MiB" -}}
{{- $text = ternary "1MiB" (include "sluice.text" $text) (kindIs "map" $text) -}}
{{- $unit := regexFind "[A-Za-z]*$" $text -}}
{{- mul (trimSuffix $unit $text | int64) (get (dict "" 1 "KiB" 1024 "MiB" 1048576 "GiB" 1073741824) $unit) -}}
{{- end -}}
