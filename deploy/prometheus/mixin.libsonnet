// The rules and the dashboard as a monitoring mixin (https://monitoring.mixins.dev). They are read from rules.yml and from
// ../grafana/port-exporter.json: change them there. For go-jsonnet and jsonnet >= 0.18, which have std.parseYaml.
local text = importstr 'rules.yml';

// The std.parseYaml of jsonnet (not that of go-jsonnet) takes one of two backslashes in plain text.
local keepsBackslashes = std.parseYaml(@'- \\')[0] == @'\\';
local groups = std.parseYaml(if keepsBackslashes then text else std.strReplace(text, @'\', @'\\')).groups;

// Groups stay whole: an alert reads what the recording rules before it wrote in the same evaluation. In a group of their own,
// those could be one evaluation older than the alert's other numbers.
local hasAlert(group) = std.length(std.filter(function(rule) std.objectHas(rule, 'alert'), group.rules)) > 0;

{
  prometheusAlerts+:: {
    groups+: std.filter(hasAlert, groups),
  },

  // Groups of recording rules alone.
  prometheusRules+:: {
    groups+: std.filter(function(group) !hasAlert(group), groups),
  },

  grafanaDashboards+:: {
    'port-exporter.json': import '../grafana/port-exporter.json',
  },
}
